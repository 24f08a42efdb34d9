import { connectCore, ConnectionError } from "./index.js";

/** What a server that polls the core does. */
export async function readDockerPressure(url?: string): Promise<number | null> {
  const core = connectCore({ url }); // shared; connects at the first request, and again when the core was restarted
  try {
    const { detected, pressure } = await core.dockerTierStats({ timeoutMs: 2_000 });
    return detected ? pressure : null;
  } catch (error) {
    if (error instanceof ConnectionError && error.code === "notFound") return null; // no core here
    throw error;
  }
}

/** Alerts as they come; a `break` ends the subscription. */
export async function firstAlert(url?: string): Promise<string> {
  const alerts = connectCore({ url }).events("pressure-alert", {
    onGap: ({ reason }) => console.warn(reason),
  });
  for await (const { tierName, pressure } of alerts) return `${tierName} ${pressure}`;
  return "the client was closed";
}
