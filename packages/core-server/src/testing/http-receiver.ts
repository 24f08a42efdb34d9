import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a receiver got. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A real HTTP server on loopback that notes what it gets and answers as a test says. */
export interface HttpReceiver extends AsyncDisposable {
  readonly url: URL;
  readonly received: readonly Received[];
  /** How the next requests are answered; 200 when left alone. */
  answer: (response: ServerResponse, request: Received) => void;
  /** Resolves once so many requests have come. */
  until(count: number): Promise<void>;
}

/** Starts one; closed with every connection at the end of the scope. */
export async function startHttpReceiver(): Promise<HttpReceiver> {
  const received: Received[] = [];
  let waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      const each = { method, path, headers, body };
      received.push(each);
      receiver.answer(response, each);
      for (const waiter of waiting) if (received.length >= waiter.count) waiter.resolve();
      waiting = waiting.filter(({ count }) => received.length < count);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const receiver: HttpReceiver = {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    received,
    answer: (response) => response.writeHead(200).end("ok"),
    until: (count) =>
      received.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => waiting.push({ count, resolve })),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}
