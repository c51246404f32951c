import t from 'tap';
import {
  amount,
  anything,
  count,
  exactly,
  listOf,
  looseObjectOf,
  mapOf,
  nullable,
  objectOf,
  readShape,
  type Shape,
  text,
  word,
} from '../../../src/base/json-shape.js';

const layer = objectOf({ digest: text, size: count }, { urls: listOf(text), labels: mapOf(text) });
const image = objectOf({ version: exactly(2), layers: listOf(layer) });

t.test('what fits comes back without what the shape does not name', async (t) => {
  const cases: readonly (readonly [string, Shape<unknown>, unknown, unknown])[] = [
    ['an object', layer, { size: 0, digest: 'a', other: 1 }, { digest: 'a', size: 0 }],
    ['optional members', layer, { digest: 'a', size: 1, urls: [] }, { digest: 'a', size: 1, urls: [] }],
    [
      'nested',
      image,
      { version: 2, layers: [{ digest: 'a', size: 1, x: 1 }] },
      { version: 2, layers: [{ digest: 'a', size: 1 }] },
    ],
    [
      'loose',
      looseObjectOf({ a: layer }),
      { b: 1, a: { digest: 'a', size: 1, x: 1 } },
      { b: 1, a: { digest: 'a', size: 1 } },
    ],
    ['null', nullable(text), null, null],
    ['anything', listOf(anything), [1, null], [1, null]],
    ['a fraction', amount, 1.5, 1.5],
  ];
  for (const [name, shape, value, wanted] of cases) t.strictSame(readShape(shape, value), { value: wanted }, name);
});

t.test('the first fault is named with its place', async (t) => {
  const cases: readonly (readonly [Shape<unknown>, unknown, string, RegExp])[] = [
    [image, [], '', /expected object, received array/],
    [image, null, '', /received null/],
    [image, { version: 1, layers: [] }, 'version', /expected 2, received 1/],
    [image, { version: 2 }, 'layers', /expected array, received undefined/],
    [
      image,
      {
        version: 2,
        layers: [
          { digest: 'a', size: 1 },
          { digest: 1, size: 1 },
        ],
      },
      'layers.1.digest',
      /string/,
    ],
    [layer, { digest: 'a', size: -1 }, 'size', /received -1/],
    [layer, { digest: 'a', size: 1.5 }, 'size', /whole number/],
    [layer, { digest: 'a', size: 1e300 }, 'size', /whole number/],
    [layer, { digest: 'a', size: 1, urls: null }, 'urls', /received null/],
    [layer, { digest: 'a', size: 1, labels: { x: 1 } }, 'labels.x', /string/],
    [amount, -0.5, '', /from 0 on/],
    [word, '', '', /expected text/],
    [objectOf({ toString: text }), {}, 'toString', /received undefined/],
  ];
  for (const [shape, value, where, message] of cases) t.match(readShape(shape, value).fault, { where, message });
});

t.test('a name that means something to JavaScript is a member like others', async (t) => {
  const { value } = readShape(mapOf(text), JSON.parse('{"__proto__":"a"}'));
  t.ok(value !== undefined && Object.hasOwn(value, '__proto__'));
});
