/** Refuses a Node that PennCloud is not tested with, before anything else is loaded. */
export function checkNodeVersion(running = process.versions.node) {
  const [major = 0, minor = 0] = running.split('.').map(Number);
  const fits = (major === 20 && minor >= 20) || (major === 22 && minor >= 12) || major > 22;
  if (fits) return;
  console.error(
    `PennCloud needs Node 20.20 or later in the 20 series, or 22.12 or later; this is Node ${running}.`,
  );
  process.exit(1);
}
