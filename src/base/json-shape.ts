/** How a value of JSON has to look; `read` gives it without what the shape doesn't name, or throws a `ShapeFault`. */
export interface Shape<T> {
  read(value: unknown, path: readonly (string | number)[]): T;
}

/** What a shape stands for. */
export type ShapeOf<S> = S extends Shape<infer T> ? T : never;

type Shapes = Readonly<Record<string, Shape<unknown>>>;
type Members<R extends Shapes, O extends Shapes> = { -readonly [K in keyof R]: ShapeOf<R[K]> } & {
  -readonly [K in keyof O]?: ShapeOf<O[K]> | undefined;
};

/** The first thing that is wrong; `where` is like `layers.0.size`, empty for the whole. */
export class ShapeFault extends Error {
  override readonly name = 'ShapeFault';
  readonly where: string;

  constructor(message: string, path: readonly (string | number)[]) {
    super(message);
    this.where = path.join('.');
  }
}

/**
 * The value in that shape, or what is wrong with it. For documents that are read as soon as a program starts: a schema
 * library takes longer to load than they do to read.
 */
export function readShape<T>(
  shape: Shape<T>,
  value: unknown,
): { readonly value: T; readonly fault?: undefined } | { readonly value?: undefined; readonly fault: ShapeFault } {
  try {
    return { value: shape.read(value, []) };
  } catch (error) {
    if (error instanceof ShapeFault) return { fault: error };
    throw error;
  }
}

export const anything: Shape<unknown> = { read: (value) => value };

export const text: Shape<string> = {
  read: (value, path) => (typeof value === 'string' ? value : unexpected('string', value, path)),
};

/** A text that isn't empty. */
export const word: Shape<string> = {
  read: (value, path) => (value === '' ? unexpected('text', value, path) : text.read(value, path)),
};

/** A whole number from 0 on that can be counted with. */
export const count: Shape<number> = {
  read: (value, path) =>
    Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : unexpected('whole number', value, path),
};

/** A finite number from 0 on. */
export const amount: Shape<number> = {
  read: (value, path) =>
    Number.isFinite(value) && Number(value) >= 0 ? Number(value) : unexpected('number from 0 on', value, path),
};

export function exactly<const T extends string | number>(wanted: T): Shape<T> {
  return { read: (value, path) => (value === wanted ? wanted : unexpected(JSON.stringify(wanted), value, path)) };
}

/** Also null, where something else writes one for nothing. */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return { read: (value, path) => (value === null ? null : shape.read(value, path)) };
}

export function listOf<T>(shape: Shape<T>): Shape<T[]> {
  return {
    read: (value, path) =>
      Array.isArray(value)
        ? value.map((each: unknown, at) => shape.read(each, [...path, at]))
        : unexpected('array', value, path),
  };
}

/** An object of any keys. */
export function mapOf<T>(shape: Shape<T>): Shape<Record<string, T>> {
  return {
    read: (value, path) =>
      Object.fromEntries(
        Object.entries(members(value, path)).map(([key, of]) => [key, shape.read(of, [...path, key])]),
      ),
  };
}

/** An object with these members, and these where they are there. */
export function objectOf<const R extends Shapes, const O extends Shapes = Record<never, never>>(
  required: R,
  optional?: O,
): Shape<Members<R, O>> {
  return {
    read(value, path) {
      const given = members(value, path);
      const read = (shapes: Shapes, isOptional: boolean) =>
        Object.entries(shapes).flatMap(([key, shape]) => {
          const member = Object.hasOwn(given, key) ? given[key] : undefined;
          return isOptional && member === undefined ? [] : [[key, shape.read(member, [...path, key])] as const];
        });
      return Object.fromEntries([...read(required, false), ...read(optional ?? {}, true)]) as Members<R, O>;
    },
  };
}

/** As `objectOf`, keeping what isn't named. */
export function looseObjectOf<const R extends Shapes, const O extends Shapes = Record<never, never>>(
  required: R,
  optional?: O,
): Shape<Members<R, O> & Record<string, unknown>> {
  const shape = objectOf(required, optional);
  return { read: (value, path) => ({ ...members(value, path), ...shape.read(value, path) }) };
}

function members(value: unknown, path: readonly (string | number)[]): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  return unexpected('object', value, path);
}

function unexpected(wanted: string, value: unknown, path: readonly (string | number)[]): never {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const got = typeof value === 'number' ? `${value}` : kind;
  throw new ShapeFault(`Invalid input: expected ${wanted}, received ${got}`, path);
}
