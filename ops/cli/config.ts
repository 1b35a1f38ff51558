/** `penncloud config`: every setting with its value and where that came from. */
import { reportSettings } from '../processes/settings.ts';
import { printJson, printTable } from './print.ts';

export function config(options: { json?: boolean }): void {
  const report = reportSettings();
  if (options.json) return printJson(report);
  printTable(
    ['VARIABLE', 'IN A FILE', 'VALUE', 'FROM', 'MEANS'],
    report.map(({ variable, name, given, source, means }) => [variable, name, given, source, means]),
  );
  console.log('\nPENNCLOUD_SETTINGS names a JSON file with settings; the environment wins over it.');
}
