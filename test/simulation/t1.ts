import { inMacrotask } from './engine/world.ts';
import { simulate } from './runs/simulate.ts';
const [first, count, mode] = process.argv.slice(2);
await inMacrotask(() => {
  const t0 = process.cpuUsage(); let ops = 0, ev = 0, sim=0; const counts = new Map<string, number>(); let bad = 0;
  for (let s = Number(first); s < Number(first) + Number(count); s++) {
    const o = simulate(s, { calm: mode === 'calm', tracing: mode === 'trace' });
    if (mode === 'trace') console.log(o.trace.join('\n'));
    ops += o.operations; ev += o.events; sim += o.simulatedMs;
    for (const [k, v] of o.counts) counts.set(k, (counts.get(k) ?? 0) + v);
    if (o.violation) { bad++; console.log(s, o.violation.slice(0, 1500)); }
  }
  const u = process.cpuUsage(t0);
  console.log({ count, bad, cpuMsPerSeed: (u.user + u.system) / 1000 / Number(count), opsPerSeed: ops / Number(count), eventsPerSeed: ev / Number(count), simMs: sim/Number(count) });
  console.log(Object.fromEntries([...counts].sort()));
});
