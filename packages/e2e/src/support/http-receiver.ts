import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as it came. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A real HTTP server on loopback that notes what it gets. */
export interface HttpReceiver extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly Received[];
}

/** Starts one; `answer` says what comes back, 200 when left out. */
export async function startHttpReceiver(
  answer: (response: ServerResponse, request: Received) => void = (response) => response.writeHead(200).end(),
): Promise<HttpReceiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const each = { path: request.url ?? "", headers: request.headers, body };
      received.push(each);
      answer(response, each);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
