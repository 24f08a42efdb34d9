import { Client, credentials, Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import { type BenchSubject, fail } from "../bench-subject.js";
import { COMMAND_NAMES, RESULTS } from "../payloads.js";

const PATH = "/continuum.Core/Call";
const serialize = (value: object): Buffer => Buffer.from(JSON.stringify(value));
const deserialize = (bytes: Buffer): object => JSON.parse(bytes.toString("utf8")) as object;

const service: ServiceDefinition = {
  call: {
    path: PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  },
};

/** @grpc/grpc-js with the same JSON as its messages. */
export const grpcSubject: BenchSubject = {
  startServer: async (socketPath, payload) => {
    const server = new Server();
    server.addService(service, {
      call: (
        { request }: { request: { requestId: number } },
        answer: (error: null, reply: object) => void,
      ): void => {
        answer(null, { success: true, result: RESULTS[payload], requestId: request.requestId });
      },
    });
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    return {
      pid: process.pid,
      close: () => {
        server.forceShutdown();
        return Promise.resolve();
      },
    };
  },
  startClient: (socketPath, payload) => {
    const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
    const command = COMMAND_NAMES[payload];
    let requestId = 0;
    return Promise.resolve({
      issue: (done) => {
        requestId += 1;
        client.makeUnaryRequest(PATH, serialize, deserialize, { command, requestId }, (error) => {
          if (error !== null) fail(error);
          done();
        });
      },
      close: () => {
        client.close();
        return Promise.resolve();
      },
    });
  },
};
