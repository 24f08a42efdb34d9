import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createMessageConnection, SocketMessageReader, SocketMessageWriter } from "vscode-jsonrpc/node";
import { type BenchSubject, fail } from "../bench-subject.js";
import { COMMAND_NAMES, RESULTS } from "../payloads.js";

/** vscode-jsonrpc, what language servers speak. */
export const jsonRpcSubject: BenchSubject = {
  startServer: async (socketPath, payload) => {
    const server = createServer((socket) => {
      const connection = toConnection(socket);
      connection.onRequest(COMMAND_NAMES[payload], (): object => RESULTS[payload]);
      connection.listen();
    });
    server.listen(socketPath);
    await once(server, "listening");
    return { pid: process.pid, close: () => new Promise((resolve) => server.close(() => resolve())) };
  },
  startClient: async (socketPath, payload) => {
    const socket = connect(socketPath);
    await once(socket, "connect");
    const connection = toConnection(socket);
    connection.listen();
    return {
      issue: (done) => void connection.sendRequest<object>(COMMAND_NAMES[payload]).then(done, fail),
      close: () => new Promise((resolve) => socket.destroy().once("close", () => resolve())),
    };
  },
};

function toConnection(socket: Socket): ReturnType<typeof createMessageConnection> {
  return createMessageConnection(new SocketMessageReader(socket), new SocketMessageWriter(socket));
}
