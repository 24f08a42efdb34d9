import { type BrokerSnapshot, decodeBrokerSnapshot, DecodeError, formatPercent } from "@continuum/wire-types";

const reply = `{ "globalPressure": 0.92, "globalTier": "high", "pools": [], "evictionsFired": 3, "bytesFreedTotal": 8200000000 }`;
const snapshot: BrokerSnapshot = decodeBrokerSnapshot(JSON.parse(reply));
console.log(`${snapshot.globalTier} at ${formatPercent(snapshot.globalPressure)}`);

try {
  decodeBrokerSnapshot({ ...snapshot, globalPressure: null });
} catch (error) {
  if (error instanceof DecodeError)
    console.log(`${error.path}: expected ${error.expected}, got ${error.got}`);
}
