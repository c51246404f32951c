import { parseQuantity } from '../pod/quantity.js';

/** What may stand in a place of a manifest. Fields that aren't named are passed over, as the Go kubelet does. */
export type Shape =
  | 'text'
  | 'whole'
  | 'truth'
  | 'texts'
  | 'textMap'
  | 'quantity'
  | 'quantityMap'
  | 'wholeOrText'
  /** A relative path that doesn't lead up. */
  | 'localPath'
  | 'object'
  | readonly [Shape]
  | { readonly [field: string]: Shape };

const wanted: Readonly<Record<Extract<Shape, string>, string>> = {
  text: 'a text',
  whole: 'a whole number',
  truth: 'true or false',
  texts: 'a list of texts',
  textMap: 'texts by name',
  quantity: 'a quantity such as 100m or 1.5Gi',
  quantityMap: 'quantities by name, such as 100m or 1.5Gi',
  wholeOrText: 'a number or a name',
  localPath: 'a relative path without ..',
  object: 'an object',
};

/** Every place that has another shape, with its path. What is absent has any. Pure. */
export function shapeFaults(value: unknown, shape: Shape, path: string): readonly string[] {
  if (value === undefined) return [];
  if (typeof shape === 'string') return fits(value, shape) ? [] : [`${path}: want ${wanted[shape]}`];
  if (isListShape(shape)) {
    if (!Array.isArray(value)) return [`${path}: want a list`];
    return value.flatMap((item, index) => shapeFaults(item ?? null, shape[0], `${path}[${index}]`));
  }
  if (!isObject(value)) return [`${path}: want an object`];
  return Object.entries(shape).flatMap(([name, inner]) =>
    shapeFaults(value[name], inner, path === '' ? name : `${path}.${name}`),
  );
}

function fits(value: unknown, shape: Extract<Shape, string>): boolean {
  switch (shape) {
    case 'text':
      return isText(value);
    case 'whole':
      return Number.isSafeInteger(value);
    case 'truth':
      return typeof value === 'boolean';
    case 'texts':
      return Array.isArray(value) && value.every(isText);
    case 'textMap':
      return isObject(value) && Object.values(value).every(isText);
    case 'quantity':
      return isQuantity(value);
    case 'quantityMap':
      return isObject(value) && Object.values(value).every(isQuantity);
    case 'wholeOrText':
      return Number.isSafeInteger(value) || (isText(value) && value !== '');
    case 'localPath':
      return isText(value) && value !== '' && !value.startsWith('/') && !value.split('/').includes('..');
    case 'object':
      return isObject(value);
  }
}

function isListShape(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isQuantity(value: unknown): boolean {
  try {
    return isText(value) && parseQuantity(value) >= 0;
  } catch {
    return false;
  }
}
