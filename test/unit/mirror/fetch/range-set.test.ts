import t from 'tap';
import { makeRangeSet } from '../../../../src/mirror/fetch/range-set.js';
import { makeRandom } from '../../../faults/fault-schedule.js';

t.test('agrees with a list of bits', async (t) => {
  const random = makeRandom(7);
  const upTo = (limit: number) => Math.floor(random() * limit);
  for (let round = 0; round < 300; round += 1) {
    const bits = new Array<boolean>(60).fill(false);
    const set = makeRangeSet();
    for (let step = 0; step < 12; step += 1) {
      const start = upTo(60);
      const end = Math.min(60, start + upTo(12));
      set.add(start, end);
      bits.fill(true, start, end);
      const [from, to] = [upTo(60), upTo(61)];
      const missing = set.missingIn(from, to).flatMap((range) => places(range.start, range.end));
      const wanted = places(from, to).filter((place) => bits[place] !== true);
      const run = bits.indexOf(false, from);
      const held = set.ranges.flatMap((range) => places(range.start, range.end));
      if (
        missing.join() !== wanted.join() ||
        held.join() !==
          places(0, 60)
            .filter((place) => bits[place] === true)
            .join() ||
        set.bytes !== held.length ||
        set.endOfRun(from) !== (run < 0 ? 60 : run) ||
        set.ranges.some((range, index) => range.start <= (set.ranges[index - 1]?.end ?? -1))
      ) {
        t.fail(`round ${round}, step ${step}: ${JSON.stringify(set.ranges)} for ${held.join()}`);
        return;
      }
    }
  }
  t.pass('300 random histories');
});

function places(start: number, end: number): readonly number[] {
  return Array.from({ length: Math.max(0, end - start) }, (_, index) => start + index);
}
