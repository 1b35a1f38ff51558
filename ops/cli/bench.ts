/** `penncloud bench`: checks the options of a benchmark run (ops/bench) and runs it. */
import { bench as runBench, BenchFailed, SYSTEMS, WORKS } from '../bench/bench.ts';
import { BadInput, Failed, wholeNumber } from './outcome.ts';

const CALLERS_MAX = 4096;
const VALUE_BYTES_MAX = 4 * 1024 * 1024;
const SECONDS_MAX = 600;

export type BenchOptions = {
  readonly quick?: boolean;
  readonly json?: boolean;
  readonly systems?: string;
  readonly work?: string;
  readonly callers?: string;
  readonly valueBytes?: string;
  readonly seconds?: string;
  readonly rounds?: number;
  readonly folder?: string;
  readonly profile?: string;
};

export async function bench(options: BenchOptions): Promise<void> {
  const { quick, json, rounds, folder, profile } = options;
  const systems = options.systems && names('--systems', options.systems, SYSTEMS);
  const work = options.work && names('--work', options.work, WORKS);
  const callers = options.callers && numbers('--callers', options.callers, CALLERS_MAX);
  const valueBytes = options.valueBytes && numbers('--value-bytes', options.valueBytes, VALUE_BYTES_MAX);
  const seconds = options.seconds !== undefined && duration(options.seconds);
  try {
    await runBench({
      ...(quick && { quick }),
      ...(json && { json }),
      ...(systems && { systems }),
      ...(work && { work }),
      ...(callers && { callers }),
      ...(valueBytes && { valueBytes }),
      ...(seconds && { seconds }),
      ...(rounds !== undefined && { rounds }),
      ...(folder !== undefined && { folder }),
      ...(profile !== undefined && { profile }),
    });
  } catch (error) {
    throw error instanceof BenchFailed ? new Failed(error.message) : error;
  }
}

function names<T extends string>(field: string, text: string, known: readonly T[]): T[] {
  return text.split(',').map((name) => {
    const found = known.find((one) => one === name);
    if (!found) throw new BadInput(`${field} takes ${known.join(', ')}, not ${JSON.stringify(name)}.`);
    return found;
  });
}

function numbers(field: string, text: string, max: number): number[] {
  return text.split(',').map(wholeNumber(field, 1, max));
}

function duration(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= SECONDS_MAX)) {
    throw new BadInput(`--seconds must be a number from 0.1 to ${SECONDS_MAX}, not ${JSON.stringify(text)}.`);
  }
  return seconds;
}
