import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { createLogger, describeError } from '../../../daemon/logger.ts';
import type { LogFormat, Logger } from '../../../daemon/logger.ts';

function capture(
  format: LogFormat,
  verbosity = 0,
  secrets: () => readonly string[] = () => [],
): { logger: Logger; text: () => string } {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { logger: createLogger({ format, verbosity, secrets, stream }), text: () => Buffer.concat(chunks).toString() };
}

describe('logger', () => {
  it("writes klog's header with the file and line of the caller, a constant message and key=value pairs", () => {
    const { logger, text } = capture('text');
    logger.info('Disk attached', { volumeId: 'a b', slot: 3, nodes: ['n1'] });
    expect(text()).to.match(
      /^I\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ logger\.test\.ts:\d+\] "Disk attached" volumeId="a b" slot=3 nodes=\["n1"\]\n$/,
    );
  });

  it('marks warnings and errors with W and E, and prints an error with its causes', () => {
    const { logger, text } = capture('text');
    logger.warn('Careful');
    logger.error('Failed', new Error('outer', { cause: new Error('inner') }), { node: 'n1' });
    const [first, second] = text().split('\n');
    expect(first).to.match(/^W.*"Careful"$/);
    expect(second).to.match(/^E.*"Failed" err="outer: inner" node="n1"$/);
  });

  it("writes component-base's keys as JSON: v for information, err for errors", () => {
    const { logger, text } = capture('json', 2);
    logger.debug(2, 'Detail', { at: 1 });
    logger.error('Failed', new Error('why'));
    const [info, error] = text()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(info).to.include({ msg: 'Detail', v: 2, at: 1 }).and.to.have.property('ts').that.is.a('number');
    expect(info?.['caller']).to.match(/^logger\.test\.ts:\d+$/);
    expect(error).to.include({ msg: 'Failed', err: 'why' }).and.not.to.have.property('v');
  });

  it('drops what is more verbose than -v', () => {
    const { logger, text } = capture('text', 2);
    logger.debug(4, 'Hidden');
    expect(text()).to.equal('');
  });

  it('never prints a secret: not in the message, a field, an error or an escaped form, also after rotation', () => {
    let secret = 'k"e/y+1';
    const { logger, text } = capture('json', 0, () => [secret]);
    logger.error(`with k"e/y+1`, new Error('sent k"e/y+1'), { body: `Key=${encodeURIComponent(secret)}` });
    secret = 'rotated';
    logger.info('again', { secret: 'rotated' });
    expect(text()).not.to.match(/e\/y|e%2Fy|rotated/);
    expect(text()).to.contain('***');
  });
});

describe('describeError', () => {
  it('joins the messages of all causes', () => {
    expect(describeError(new Error('a', { cause: new Error('b', { cause: 'c' }) }))).to.equal('a: b: c');
  });

  it('ends on a cause that loops', () => {
    const error = new Error('again');
    error.cause = error;
    expect(describeError(error)).to.match(/^again(: again){9}$/);
  });
});
