/**
 * Two-step log-in and recovery codes. A gateway checks the digits of a one-time code against the secret,
 * which is sealed here, and names the time step they belong to (RFC 6238 §4.2); recovery codes are known
 * by their hashes only.
 *
 * What always holds:
 *
 *   a time step is taken at most once, and never after a later one (RFC 6238 §5.2)
 *   a recovery code works at most once; making new ones ends the old ones
 *   the step was checked against the secret that is in force: `factorVersion` names it
 */
import type { CommandHandler, Content, DomainArea, EventHandler, Slices, StateKey } from '../decider.ts';
import { rejection, type Rejection } from '../errors.ts';
import { fieldsOf, parsed, partsAre, partText, refuse, sha256Hex, whole } from '../fields.ts';
import type {
  OneTimeCodeUsed,
  RecoveryCodeUsed,
  RecoveryCodesMade,
  SecondFactorEvent,
  SecondFactorTurnedOff,
  SecondFactorTurnedOn,
} from './events.ts';
import { ACCOUNT_KEY, accountFault, passwordFault } from './evolve.ts';

export const RECOVERY_CODES = 10;
const SEALED_BYTES_MAX = 512;

type TurnOn = {
  /** The one replaced; 0: there never was one. */
  readonly factorVersion: number;
  readonly step: number;
  readonly passwordVersion: number;
  readonly codeHashes: readonly string[];
};
type TurnOff = { readonly factorVersion: number; readonly passwordVersion: number };
type MakeCodes = { readonly passwordVersion: number; readonly codeHashes: readonly string[] };

/** What someone showed beside the password. */
export type Proof = { readonly factorVersion: number; readonly step: number } | { readonly codeHash: string };

/** `step`: the last one used. Stays when it is off, so that versions are never used twice. */
type FactorSlice = { readonly version: number; readonly on: boolean; readonly step: number };
type CodesSlice = { readonly left: readonly string[] };
const FACTOR_KEY: StateKey = 'second-factor';
const CODES_KEY: StateKey = 'recovery-codes';
/** What `proofOf` and `codeOf` read. */
export const PROOF_KEYS: readonly StateKey[] = [FACTOR_KEY, CODES_KEY];

/** What a log-in has to show beside the password, and the event of its having been used; none where none is asked. */
export function proofOf(
  proof: Proof | undefined,
  slices: Slices,
): { readonly events: readonly SecondFactorEvent[] } | { readonly rejection: Rejection } {
  const factor = slices(FACTOR_KEY) as FactorSlice | undefined;
  if (factor?.on !== true) return { events: [] };
  if (proof === undefined) return { rejection: codeNeeded };
  if ('codeHash' in proof) return codeOf(proof.codeHash, slices);
  if (proof.factorVersion !== factor.version || proof.step <= factor.step) return { rejection: wrongCode };
  return { events: [{ type: 'account.OneTimeCodeUsed', version: 1, data: { step: proof.step } }] };
}

/** The use of a recovery code. */
export function codeOf(
  codeHash: string,
  slices: Slices,
): { readonly events: readonly SecondFactorEvent[] } | { readonly rejection: Rejection } {
  const left = (slices(CODES_KEY) as CodesSlice | undefined)?.left ?? [];
  if (!left.includes(codeHash)) return { rejection: wrongCode };
  return { events: [{ type: 'account.RecoveryCodeUsed', version: 1, data: { codeHash } }] };
}

/** The fields of a command that may carry a proof: all absent, a step, or a recovery code. */
export function parseProof(fields: {
  readonly factorVersion: unknown;
  readonly step: unknown;
  readonly codeHash: unknown;
}): Proof | undefined {
  const { factorVersion, step, codeHash } = fields;
  if (codeHash !== undefined && step !== undefined) {
    refuse('Malformed', 'A log-in carries a one-time code or a recovery code, not both.', {
      field: 'codeHash',
    });
  }
  if (codeHash !== undefined) return { codeHash: sha256Hex(codeHash, 'codeHash') };
  if (step === undefined && factorVersion === undefined) return undefined;
  return { factorVersion: factorVersionOf(factorVersion, 1), step: stepOf(step) };
}

const turnOn: CommandHandler<TurnOn> = {
  /** Part: the sealed secret. */
  parse: (data, content) =>
    parsed(() => {
      const fields = fieldsOf(data, ['factorVersion', 'step', 'passwordVersion', 'codeHashes']);
      partsAre(content, 'sealed secret');
      partText(content, 0, 'sealed secret', 1, SEALED_BYTES_MAX);
      return {
        factorVersion: factorVersionOf(fields.factorVersion, 0),
        step: stepOf(fields.step),
        passwordVersion: whole(fields.passwordVersion, 'passwordVersion', 1, Number.MAX_SAFE_INTEGER),
        codeHashes: codeHashesOf(fields.codeHashes),
      };
    }),
  reads: () => [ACCOUNT_KEY, FACTOR_KEY, CODES_KEY],
  decide({ factorVersion, step, passwordVersion, codeHashes }, slices, { stream }) {
    const fault = accountFault(slices, stream) ?? passwordFault(slices, passwordVersion);
    if (fault) return { rejection: fault };
    const factor = slices(FACTOR_KEY) as FactorSlice | undefined;
    if (factor?.on === true || factorVersion !== (factor?.version ?? 0)) return { rejection: stale };
    const turnedOn: SecondFactorTurnedOn = {
      type: 'account.SecondFactorTurnedOn',
      version: 1,
      data: { factorVersion: factorVersion + 1, step },
    };
    return { events: [turnedOn, made(codeHashes)] };
  },
};

const turnOff: CommandHandler<TurnOff> = {
  parse: (data: unknown, content: Content) =>
    parsed(() => {
      const { factorVersion, passwordVersion } = fieldsOf(data, ['factorVersion', 'passwordVersion']);
      partsAre(content);
      return {
        factorVersion: factorVersionOf(factorVersion, 1),
        passwordVersion: whole(passwordVersion, 'passwordVersion', 1, Number.MAX_SAFE_INTEGER),
      };
    }),
  reads: () => [ACCOUNT_KEY, FACTOR_KEY],
  decide({ factorVersion, passwordVersion }, slices, { stream }) {
    const fault = accountFault(slices, stream) ?? passwordFault(slices, passwordVersion);
    if (fault) return { rejection: fault };
    const factor = slices(FACTOR_KEY) as FactorSlice | undefined;
    if (factor?.on !== true) return { events: [] };
    if (factor.version !== factorVersion) return { rejection: stale };
    const event: SecondFactorTurnedOff = {
      type: 'account.SecondFactorTurnedOff',
      version: 1,
      data: { factorVersion },
    };
    return { events: [event] };
  },
};

const makeCodes: CommandHandler<MakeCodes> = {
  parse: (data: unknown, content: Content) =>
    parsed(() => {
      const { passwordVersion, codeHashes } = fieldsOf(data, ['passwordVersion', 'codeHashes']);
      partsAre(content);
      return {
        passwordVersion: whole(passwordVersion, 'passwordVersion', 1, Number.MAX_SAFE_INTEGER),
        codeHashes: codeHashesOf(codeHashes),
      };
    }),
  reads: () => [ACCOUNT_KEY, CODES_KEY],
  decide({ passwordVersion, codeHashes }, slices, { stream }) {
    const fault = accountFault(slices, stream) ?? passwordFault(slices, passwordVersion);
    return fault ? { rejection: fault } : { events: [made(codeHashes)] };
  },
};

const events: { readonly [Type in SecondFactorEvent['type']]: EventHandler } = {
  'account.SecondFactorTurnedOn': {
    touches: () => [FACTOR_KEY],
    evolve: (_key, _slice, { data }: SecondFactorTurnedOn): FactorSlice => ({
      version: data.factorVersion,
      on: true,
      step: data.step,
    }),
  },
  'account.SecondFactorTurnedOff': {
    touches: () => [FACTOR_KEY],
    evolve: (_key, _slice, { data }: SecondFactorTurnedOff): FactorSlice => ({
      version: data.factorVersion,
      on: false,
      step: 0,
    }),
  },
  'account.OneTimeCodeUsed': {
    touches: () => [FACTOR_KEY],
    evolve: (_key, slice, { data }: OneTimeCodeUsed): FactorSlice => ({
      ...(slice as FactorSlice),
      step: data.step,
    }),
  },
  'account.RecoveryCodesMade': {
    touches: () => [CODES_KEY],
    evolve: (_key, _slice, { data }: RecoveryCodesMade): CodesSlice => ({ left: data.codeHashes }),
  },
  'account.RecoveryCodeUsed': {
    touches: () => [CODES_KEY],
    evolve: (_key, slice, { data }: RecoveryCodeUsed): CodesSlice => ({
      left: (slice as CodesSlice).left.filter((hash) => hash !== data.codeHash),
    }),
  },
};

export const secondFactorArea: DomainArea = {
  commands: {
    'account.TurnOnSecondFactor': turnOn,
    'account.TurnOffSecondFactor': turnOff,
    'account.MakeRecoveryCodes': makeCodes,
  },
  events,
};

function made(codeHashes: readonly string[]): RecoveryCodesMade {
  return { type: 'account.RecoveryCodesMade', version: 1, data: { codeHashes } };
}

function factorVersionOf(value: unknown, min: number): number {
  return whole(value, 'factorVersion', min, Number.MAX_SAFE_INTEGER);
}

function stepOf(value: unknown): number {
  return whole(value, 'step', 0, Number.MAX_SAFE_INTEGER);
}

function codeHashesOf(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length !== RECOVERY_CODES || new Set(value).size !== RECOVERY_CODES) {
    refuse('Malformed', `CodeHashes must be a list of ${RECOVERY_CODES} different hashes.`, {
      field: 'codeHashes',
      limit: RECOVERY_CODES,
    });
  }
  return value.map((hash: unknown) => sha256Hex(hash, 'codeHashes'));
}

const codeNeeded = rejection('CodeNeeded', 'Two-step log-in is on: a code is needed beside the password.', {
  field: 'code',
});
const wrongCode = rejection('WrongCode', 'This code is wrong or was used already: use the next one.', {
  field: 'code',
});
const stale = rejection(
  'Stale',
  'Two-step log-in was changed elsewhere meanwhile: look at it as it is now.',
  { field: 'factorVersion' },
);
