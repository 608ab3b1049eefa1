import { expect } from 'chai';
import {
  isAlreadyExists,
  isConflict,
  isConnectionFault,
  isConnectionRefused,
  isForbidden,
  isGone,
  isNotFound,
  isTooManyRequests,
  isVersionTooLarge,
  KubeConnectionError,
  KubeError,
} from '../../../kube/errors.ts';

describe('errors of the Kubernetes API', () => {
  const predicates = {
    isAlreadyExists,
    isConflict,
    isConnectionFault,
    isConnectionRefused,
    isForbidden,
    isGone,
    isNotFound,
    isTooManyRequests,
    isVersionTooLarge,
  };
  const tooLarge = { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }] };
  const cases: readonly [string, unknown, readonly (keyof typeof predicates)[]][] = [
    ['404', new KubeError({ code: 404, reason: 'NotFound' }), ['isNotFound']],
    ['409 Conflict', new KubeError({ code: 409, reason: 'Conflict' }), ['isConflict']],
    ['409 without a reason', new KubeError({ code: 409 }), ['isConflict']],
    ['409 AlreadyExists', new KubeError({ code: 409, reason: 'AlreadyExists' }), ['isAlreadyExists']],
    ['403', new KubeError({ code: 403, reason: 'Forbidden' }), ['isForbidden']],
    ['410 Expired', new KubeError({ code: 410, reason: 'Expired' }), ['isGone']],
    ['429', new KubeError({ code: 429, reason: 'TooManyRequests' }), ['isTooManyRequests']],
    ['504 too large', new KubeError({ code: 504, reason: 'Timeout', details: tooLarge }), ['isVersionTooLarge']],
    ['500', new KubeError({}), []],
    ['connection refused', new KubeConnectionError('', 'ECONNREFUSED'), ['isConnectionFault', 'isConnectionRefused']],
    ['connection reset', new KubeConnectionError('', 'ECONNRESET'), ['isConnectionFault']],
    ['any other error', new Error('404'), []],
    ['no error', undefined, []],
  ];
  for (const [name, error, expected] of cases) {
    it(`${name}: ${expected.join(', ') || 'nothing in particular'}`, () => {
      const holding = Object.entries(predicates).filter(([, predicate]) => predicate(error));
      expect(holding.map(([predicate]) => predicate)).to.deep.equal(expected);
    });
  }
});
