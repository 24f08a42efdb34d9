export { type Endpoint, type Environment, resolveEndpoint } from "../endpoint.js";
export { resolveToken } from "../token.js";
