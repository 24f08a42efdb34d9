import { setting } from "./setting.js";
import { MAX_COUNT, oneOf, parseAbsolutePath, parseCount } from "./setting-values.js";

/** Who may connect beside the core's own socket, and how connections are served. */
export const IPC_SETTINGS = {
  readSocket: setting<string | null>({
    flag: "--read-socket",
    placeholder: "PATH",
    variable: "CONTINUUM_READ_SOCKET",
    description:
      "a second socket, 0660, over which everything may be read and nothing changed; best in a directory of its own",
    expected: "a path or unix:///PATH",
    defaultValue: null,
    defaultText: "none",
    parse: (text) => (text === "" ? null : text),
  }),
  tokenFile: setting<string | null>({
    flag: "--token-file",
    placeholder: "PATH",
    variable: "CONTINUUM_TOKEN_FILE",
    description:
      "the file with the token that connections over TCP owe, readable by its owner alone; CONTINUUM_TOKEN is the token itself",
    expected: "an absolute path",
    defaultValue: null,
    defaultText: "token in the core's directory, made when it isn't there",
    parse: parseAbsolutePath,
  }),
  listenAnywhere: setting<"off" | "on">({
    flag: "--listen-anywhere",
    placeholder: "MODE",
    variable: "CONTINUUM_LISTEN_ANYWHERE",
    description:
      "whether tcp:// may name an address that other machines reach: off or on; nothing is encrypted",
    expected: "off or on",
    defaultValue: "off",
    defaultText: "off",
    preset: "on",
    parse: oneOf(["off", "on"]),
  }),
  lowLatency: setting<"off" | "on">({
    flag: "--low-latency",
    placeholder: "MODE",
    variable: "CONTINUUM_LOW_LATENCY",
    description:
      "whether to poll for the next request for up to 50 µs after a reply, while a processor is to spare: off or on",
    expected: "off or on",
    defaultValue: "off",
    defaultText: "off",
    preset: "on",
    parse: oneOf(["off", "on"]),
  }),
  maxConnections: setting<number>({
    flag: "--max-connections",
    placeholder: "N",
    variable: "CONTINUUM_MAX_CONNECTIONS",
    description: "connections at once; the next one is refused",
    expected: `a whole number from 1 to ${MAX_COUNT}`,
    defaultValue: 4096,
    defaultText: "4096",
    parse: (text) => {
      const value = parseCount(text);
      return value !== null && value >= 1 ? value : null;
    },
  }),
} as const;
