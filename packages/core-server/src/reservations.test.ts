import { ManualClock } from "@continuum/broker-core/testing";
import { expect, it } from "vitest";
import { MAX_RESERVATIONS, Reservations } from "./reservations.js";

it("counts by tier what is held until its time is over, whatever the wall clock says", async () => {
  const clock = new ManualClock();
  const reservations = new Reservations(clock);
  reservations.hold("a", { tier: "docker", bytes: 30 }, 1_000);
  reservations.hold("b", { tier: "docker", bytes: 12 }, 2_000);
  reservations.hold("c", { tier: "vram", bytes: 5 }, 2_000);
  expect([reservations.reservedBytes("docker"), reservations.reservedBytes("vram")]).toEqual([42, 5]);
  await clock.advance(999);
  expect(reservations.reservedBytes("docker")).toBe(42);
  await clock.advance(1);
  expect(reservations.reservedBytes("docker")).toBe(12);
  expect(reservations.release("a")).toBeNull();
  expect(reservations.release("b")).toEqual({ tier: "docker", bytes: 12 });
  expect(reservations.release("b")).toBeNull();
  expect(reservations.reservedBytes("docker")).toBe(0);
});

it("is full at its bound, and has room again when time is over", async () => {
  const clock = new ManualClock();
  const reservations = new Reservations(clock);
  for (let i = 0; i < MAX_RESERVATIONS; i += 1) {
    expect(reservations.isFull).toBe(false);
    reservations.hold(`t${i}`, { tier: "docker", bytes: 1 }, 1_000 + i);
  }
  expect(reservations.isFull).toBe(true);
  await clock.advance(1_000);
  expect(reservations.isFull).toBe(false);
});
