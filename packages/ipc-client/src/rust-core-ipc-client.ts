import { CoreClient } from "./core-client.js";
import { withDomains } from "./gen/domains.js";

/** The client of the core, with every command of the contract as a method. It speaks to the Rust core and to this one alike. */
export class RustCoreIPCClient extends withDomains(CoreClient) {}
