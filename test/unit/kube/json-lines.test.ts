import { expect } from 'chai';
import * as fc from 'fast-check';
import { jsonLines } from '../../../kube/json-lines.ts';
import { failure } from './api-server.ts';

async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const places = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < places.length; i += 1) yield bytes.subarray(places[i - 1], places[i]);
}

async function valuesOf(text: string, cuts: readonly number[] = []): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const value of jsonLines(chunksOf(Buffer.from(text), cuts))) values.push(value);
  return values;
}

describe('jsonLines', () => {
  it('a line may come in any number of chunks, cut anywhere, also inside a multi-byte character', async () => {
    // Characters of one to four bytes, and some that JSON escapes.
    const unit = fc.constantFrom('a', 'é', '東', '🗼', '\n', '"');
    const value = fc.record({ text: fc.string({ unit }), n: fc.integer() });
    const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 5 }), cuts, async (values, places) => {
        const text = values.map((each) => `${JSON.stringify(each)}\n`).join('');
        const length = Buffer.byteLength(text);
        const seen = await valuesOf(
          text,
          places.map((place) => Math.floor(place * length)),
        );
        expect(seen).to.deep.equal(JSON.parse(JSON.stringify(values)));
      }),
    );
  });

  it('skips blank lines', async () => {
    expect(await valuesOf('\n{"a":1}\r\n  \n{"a":2}\n')).to.deep.equal([{ a: 1 }, { a: 2 }]);
  });

  it('bytes after the last newline are an error even if they parse', async () => {
    expect(await failure(valuesOf('{"a":1}\n{"a":2}'))).to.be.instanceOf(SyntaxError);
  });

  it('a line that is not JSON is an error that does not quote it', async () => {
    const error = await failure(valuesOf('hunter2\n'));
    expect(error).to.be.instanceOf(SyntaxError);
    expect(String(error)).not.to.contain('hunter2');
  });
});
