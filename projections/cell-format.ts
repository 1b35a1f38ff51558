/**
 * The bytes of a read model's cell: JSON text in UTF-8, written in one way only (properties in the
 * declared order, no spaces), so that equal models are equal bytes on every replica and in every replay.
 *
 * Reading tolerates nothing: bytes that the writer cannot have made throw, because a cell is derived
 * data, and a wrong one means a defect or damage, never something to be shown.
 */
export interface CellFormat<Model> {
  write(model: Model): Uint8Array;
  /** Throws on bytes that `write` cannot have written. */
  read(bytes: Uint8Array): Model;
}

/** Checks a value and copies it in canonical order; throws with the path of what is wrong. */
export type Shape<Model> = (value: unknown, path: string) => Model;

/** `name` says in errors which read model it was, e.g. "an inbox row". */
export function cellFormat<Model>(name: string, shape: Shape<Model>): CellFormat<Model> {
  return {
    write: (model) => new TextEncoder().encode(JSON.stringify(shape(model, name))),
    read(bytes) {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      const model = shape(JSON.parse(text), name);
      if (JSON.stringify(model) !== text)
        throw new Error(`${name} is not written the way its projection writes it`);
      return model;
    },
  };
}

export const text: Shape<string> = (value, path) => {
  if (typeof value !== 'string') throw wrong(path, 'a string');
  return value;
};

export const flag: Shape<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw wrong(path, 'true or false');
  return value;
};

/** Counts, sizes, times. */
export const natural: Shape<number> = (value, path) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw wrong(path, 'a whole number from 0');
  return value as number;
};

export const integer: Shape<number> = (value, path) => {
  if (!Number.isSafeInteger(value)) throw wrong(path, 'a whole number');
  return value as number;
};

export function oneOf<Word extends string>(...words: readonly Word[]): Shape<Word> {
  return (value, path) => {
    const found = words.find((word) => word === value);
    if (found === undefined) throw wrong(path, `one of ${words.join(', ')}`);
    return found;
  };
}

export function orNull<Model>(shape: Shape<Model>): Shape<Model | null> {
  return (value, path) => (value === null ? null : shape(value, path));
}

export function optional<Model>(shape: Shape<Model>): Shape<Model | undefined> {
  return (value, path) => (value === undefined ? undefined : shape(value, path));
}

export function listOf<Model>(shape: Shape<Model>): Shape<Model[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrong(path, 'a list');
    return value.map((item, index) => shape(item, `${path}[${index}]`));
  };
}

/** An object with exactly these properties, in this order. */
export function record<Model extends object>(shapes: {
  readonly [Key in keyof Model]-?: Shape<Model[Key]>;
}): Shape<Model> {
  const names = Object.keys(shapes) as (keyof Model & string)[];
  return (value, path) => {
    const given = properties(value, path);
    const unknown = Object.keys(given).find((key) => !Object.hasOwn(shapes, key));
    if (unknown !== undefined) throw wrong(path, `without the property ${unknown}`);
    const model: Partial<Model> = {};
    for (const name of names) {
      const property = shapes[name](given[name], `${path}.${name}`);
      if (property !== undefined) model[name] = property;
    }
    return model as Model;
  };
}

/** An object whose property names are data, e.g. recipients. */
export function mapOf<Model>(shape: Shape<Model>): Shape<{ readonly [key: string]: Model }> {
  return (value, path) =>
    Object.fromEntries(
      Object.entries(properties(value, path)).map(([key, item]) => [key, shape(item, `${path}.${key}`)]),
    );
}

function properties(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'an object');
  return value as Record<string, unknown>;
}

function wrong(path: string, expected: string): Error {
  return new Error(
    `${path} should be ${expected}: these are not the bytes of a cell that a projection wrote`,
  );
}
