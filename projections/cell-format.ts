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

const encoder = new TextEncoder();

function utf8Of(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Checks a value and copies it in canonical order. Throws WrongShape. */
export type Shape<Model> = (value: unknown) => Model;

/** Where it is wrong is put together while the error comes up: what is right, nearly always, pays nothing for it. */
class WrongShape extends Error {
  readonly expected: string;
  readonly path: string;

  constructor(expected: string, path = '') {
    super(`${path} should be ${expected}: these are not the bytes of a cell that a projection wrote`);
    this.expected = expected;
    this.path = path;
  }

  within(outer: string): WrongShape {
    return new WrongShape(this.expected, `${outer}${this.path}`);
  }
}

/** `name` says in errors which read model it was, e.g. "an inbox row". */
export function cellFormat<Model>(name: string, shape: Shape<Model>): CellFormat<Model> {
  const checked = (value: unknown): Model => {
    try {
      return shape(value);
    } catch (error) {
      throw within(name, error);
    }
  };
  return {
    write: (model) => utf8Of(JSON.stringify(checked(model))),
    read(bytes) {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      const model = checked(JSON.parse(text));
      if (JSON.stringify(model) !== text)
        throw new Error(`${name} is not written the way its projection writes it`);
      return model;
    },
  };
}

export const text: Shape<string> = (value) => {
  if (typeof value !== 'string') throw new WrongShape('a string');
  return value;
};

export const flag: Shape<boolean> = (value) => {
  if (typeof value !== 'boolean') throw new WrongShape('true or false');
  return value;
};

/** Counts, sizes, times. */
export const natural: Shape<number> = (value) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new WrongShape('a whole number from 0');
  return value as number;
};

export const integer: Shape<number> = (value) => {
  if (!Number.isSafeInteger(value)) throw new WrongShape('a whole number');
  return value as number;
};

export function oneOf<Word extends string>(...words: readonly Word[]): Shape<Word> {
  return (value) => {
    const found = words.find((word) => word === value);
    if (found === undefined) throw new WrongShape(`one of ${words.join(', ')}`);
    return found;
  };
}

export function orNull<Model>(shape: Shape<Model>): Shape<Model | null> {
  return (value) => (value === null ? null : shape(value));
}

export function optional<Model>(shape: Shape<Model>): Shape<Model | undefined> {
  return (value) => (value === undefined ? undefined : shape(value));
}

export function listOf<Model>(shape: Shape<Model>): Shape<Model[]> {
  return (value) => {
    if (!Array.isArray(value)) throw new WrongShape('a list');
    const models: Model[] = [];
    try {
      for (const item of value as unknown[]) models.push(shape(item));
    } catch (error) {
      throw within(`[${models.length}]`, error);
    }
    return models;
  };
}

/** An object with exactly these properties, in this order. */
export function record<Model extends object>(shapes: {
  readonly [Key in keyof Model]-?: Shape<Model[Key]>;
}): Shape<Model> {
  const names = Object.keys(shapes) as (keyof Model & string)[];
  const known: ReadonlySet<string> = new Set(names);
  return (value) => {
    const given = properties(value);
    for (const key of Object.keys(given))
      if (!known.has(key)) throw new WrongShape(`without the property ${key}`);
    const model: Partial<Model> = {};
    for (const name of names) {
      let property: Model[typeof name];
      try {
        property = shapes[name](given[name]);
      } catch (error) {
        throw within(`.${name}`, error);
      }
      if (property !== undefined) model[name] = property;
    }
    return model as Model;
  };
}

/** An object whose property names are data, e.g. recipients. */
export function mapOf<Model>(shape: Shape<Model>): Shape<{ readonly [key: string]: Model }> {
  return (value) =>
    Object.fromEntries(
      Object.entries(properties(value)).map(([key, item]) => {
        try {
          return [key, shape(item)];
        } catch (error) {
          throw within(`.${key}`, error);
        }
      }),
    );
}

function properties(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new WrongShape('an object');
  return value as Record<string, unknown>;
}

function within(path: string, error: unknown): unknown {
  return error instanceof WrongShape ? error.within(path) : error;
}
