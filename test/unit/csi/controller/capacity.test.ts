import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { capacityBytes, isInRange, sizeInRange } from '../../../../csi/controller/capacity.ts';
import { RpcError } from '../../../../csi/rpc-error.ts';

const GIB = 1024n ** 3n;
const TIB = 1024n * GIB;

const range = (required: bigint, limit = 0n): { required_bytes: string; limit_bytes: string } => ({
  required_bytes: String(required),
  limit_bytes: String(limit),
});

describe('the size of a disk', () => {
  for (const [what, wanted, sizeGB] of [
    ['100 where nobody minds', null, 100],
    ['100 where only a limit is given', range(0n, 150n * GIB), 100],
    ['100 for a byte', range(1n), 100],
    ['100 for 100 GiB', range(100n * GIB), 100],
    ['200 for a byte more', range(100n * GIB + 1n), 200],
    ['1100 for a TiB', range(TIB), 1100],
    ['exact where both bounds are the same', range(300n * GIB, 300n * GIB), 300],
    ['the largest at most', range(8_000n * GIB), 8_000],
  ] as const) {
    it(`is ${what}`, () => {
      expect(sizeInRange(wanted)).to.equal(sizeGB);
    });
  }

  it('is the smallest that there is in the range, or there is none', () => {
    const bytes = fc.bigInt({ min: 0n, max: 9_000n * GIB });
    fc.assert(
      fc.property(bytes, bytes, (required, limit) => {
        const wanted = range(required, limit);
        const fitting = Array.from({ length: 80 }, (_, n) => (n + 1) * 100).filter((sizeGB) =>
          isInRange(sizeGB, wanted),
        );
        let size: number | undefined;
        try {
          size = sizeInRange(wanted);
        } catch (error) {
          expect(error).to.be.an.instanceOf(RpcError).with.property('code', status.OUT_OF_RANGE);
        }
        expect(size).to.equal(fitting[0]);
      }),
    );
  });

  it('is told in bytes, a GB as a GiB', () => {
    expect(capacityBytes(8_000)).to.equal(String(8_000n * GIB));
  });
});
