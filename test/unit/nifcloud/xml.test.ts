import { expect } from 'chai';
import * as fc from 'fast-check';
import { errorOf } from './recorded-api.ts';
import { readAnswer as readBytes, readRefusal, UnreadableAnswer, type XmlElement } from '../../../nifcloud/xml.ts';

const readAnswer = (body: string, rootName: string): Promise<XmlElement> => readBytes([Buffer.from(body)], rootName);
const read = (content: string): Promise<XmlElement> => readAnswer(`<XResponse>${content}</XResponse>`, 'XResponse');
const skip = (content: string): Promise<XmlElement> =>
  readBytes([Buffer.from(`<XResponse>${content}</XResponse>`)], 'XResponse', { unread: ['states'] });

describe('answers', () => {
  it('match element names without regard to case, namespace and attributes', async () => {
    const answer = await readAnswer(
      '<?xml version="1.0"?>\n<n:xRESPONSE xmlns:n="u"><n:AccountingType a="b">2</n:AccountingType></n:xRESPONSE>',
      'XResponse',
    );
    expect(answer.text('accountingType')).to.equal('2');
  });

  it('treat empty elements as not set', async () => {
    for (const content of ['', '<a/>', '<a></a>', '<a> \n </a>', '<a><![CDATA[]]></a>']) {
      const answer = await read(content);
      expect(answer.text('a')).to.equal('');
      expect(answer.texts('a')).to.deep.equal([]);
      expect(answer.number('a')).to.equal(undefined);
      expect(answer.child('a').text('b')).to.equal('');
      expect(answer.items('a')).to.deep.equal([]);
      expect(() => answer.requiredText('a')).to.throw(UnreadableAnswer, '<a>');
    }
  });

  it('give <item> and <member> lists as arrays, however many entries they hold', async () => {
    for (const entry of ['item', 'member']) {
      for (const count of [0, 1, 2, 3]) {
        const entries = Array.from({ length: count }, (_, index) => `<${entry}><id>${index}</id></${entry}>`);
        const ids = (await read(`<set>${entries.join('')}</set>`)).items('set').map((item) => item.text('id'));
        expect(ids).to.deep.equal(entries.map((_, index) => String(index)));
      }
    }
  });

  it('drop list entries without content', async () => {
    expect((await read('<set><item/><item></item><item><id>a</id></item></set>')).items('set')).to.have.length(1);
  });

  it('give all elements that are repeated', async () => {
    expect(
      (await read('<m><IPAddress>a</IPAddress><IPAddress>b</IPAddress></m>')).child('m').texts('ipaddress'),
    ).to.deep.equal(['a', 'b']);
  });

  const numbers: [string, number | undefined][] = [
    ['100', 100],
    ['0', 0],
    ['-1', -1],
    ['1.5', 1.5],
    ['0x10', undefined],
    ['1e3', undefined],
    ['12 GB', undefined],
    ['NaN', undefined],
  ];
  for (const [text, number] of numbers) {
    it(`read ${text} as ${number === undefined ? 'no number' : `the number ${number}`}`, async () => {
      expect((await read(`<n>${text}</n>`)).number('n')).to.equal(number);
    });
  }

  it('keep texts that look like numbers as they are', async () => {
    expect((await read('<id>0012e5</id>')).text('id')).to.equal('0012e5');
  });

  it('resolve the references of XML, and nothing in CDATA', async () => {
    const answer = await read('<d>&lt;a&gt; &amp;amp; &quot;&apos; &#12486;&#x30b9;</d><e>a<![CDATA[<b>&amp;]]>c</e>');
    expect(answer.text('d')).to.equal('<a> &amp; "\' テス');
    expect(answer.text('e')).to.equal('a<b>&amp;c');
  });

  it('keep what XML forbids in a text as it stands, since it says nothing about the others', async () => {
    for (const text of ['&nbsp;', '&#x110000;', '&#11;', '\v', '\0', '\u{FFFF}']) {
      expect((await read(`<d>a${text}b</d><id>1</id>`)).text('d'), JSON.stringify(text)).to.equal(`a${text}b`);
    }
  });

  it('give back any text that was written into them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (text) => {
        const printable = text.replaceAll(/\p{Cc}/gu, '').trim();
        const escaped = printable.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
        expect((await read(`<d>${escaped}</d>`)).text('d')).to.equal(printable);
      }),
    );
  });

  it('do not expand entities that they define themselves', async () => {
    const bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "bbbbbbbbbb">]>';
    const answer = await readAnswer(`${bomb}<XResponse><d>&a;&b;</d></XResponse>`, 'XResponse');
    expect(answer.text('d')).to.equal('&a;&b;');
  });

  const unreadable: [what: string, body: string][] = [
    ['empty', ''],
    ['no XML', 'upstream connect error'],
    ['truncated between elements', '<XResponse><set><item><id>1</id></item>'],
    ['truncated inside a tag', '<XResponse><set></set></XRespon'],
    ['truncated inside a text', '<XResponse><id>ab'],
    ['wrongly nested', '<XResponse><a><b></a></b></XResponse>'],
    ['followed by another', '<XResponse/><XResponse/>'],
    ['followed by something else', '<XResponse/><YResponse/>'],
    ['the answer to something else', '<YResponse></YResponse>'],
    ['HTML', '<html><body><p>ok</p></body></html>'],
    ['nested without end', `<XResponse>${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}</XResponse>`],
  ];
  for (const [what, body] of unreadable) {
    it(`are unreadable when ${what}`, async () => {
      expect(await errorOf(readAnswer(body, 'XResponse'))).to.be.instanceOf(UnreadableAnswer);
    });
  }

  const SAMPLE =
    '<?xml version="1.0"?><XResponse xmlns="u"><volumeSet><item><volumeId>a&amp;b</volumeId><size/></item>' +
    '<item><volumeId><![CDATA[b]]></volumeId></item></volumeSet></XResponse>';

  it('are unreadable when cut anywhere', async () => {
    for (let length = 0; length < SAMPLE.length; length++) {
      const error = await errorOf(readAnswer(SAMPLE.slice(0, length), 'XResponse'));
      expect(error, SAMPLE.slice(0, length)).to.be.instanceOf(UnreadableAnswer);
    }
  });

  it('are the same wherever the pieces end in which they are read', async () => {
    // 64 KiB are a piece: the sample lies across the first border, one byte further each time.
    const sample = SAMPLE.slice(SAMPLE.indexOf('<volumeSet>')).replace('</XRes', '<memo>é字𠮷</memo></XRes');
    for (let overlap = 0; overlap <= Buffer.byteLength(sample); overlap++) {
      const before = `<XResponse><note>${'x'.repeat(64 * 1024 - '<XResponse><note></note>'.length - overlap)}</note>`;
      const answer = await readAnswer(`${before}${sample}`, 'XResponse');
      expect(answer.items('volumeSet').map((item) => item.text('volumeId'))).to.deep.equal(['a&b', 'b']);
      expect(answer.text('memo')).to.equal('é字𠮷');
    }
  });

  it('are read without the elements that nobody reads, which still have to be whole', async () => {
    const answer = await skip(
      '<a>1</a><States>x<item><a>2</a><states/>y</item>z</States><b><states><c>3</c></states>4</b>',
    );
    expect([answer.text('a'), answer.text('states'), answer.text('b')]).to.deep.equal(['1', '', '4']);
    expect([answer.items('states'), answer.child('b').child('states').text('c')]).to.deep.equal([[], '']);
    for (const cut of ['<states><a></states>', '<states><a>', '<states>&', '<states></a></states>']) {
      expect(await errorOf(skip(cut)), cut).to.be.instanceOf(UnreadableAnswer);
    }
  });

  it('are read or unreadable, whatever is in them', async () => {
    const pieces = fc.constantFrom('<', '>', '/', '&', ';', '"', '=', ' ', '<a>', '</a>', '<a b="', '<!--', '-->');
    const more = fc.constantFrom('<![CDATA[', ']]>', '<?', '?>', '<!DOCTYPE a [', ']>', '&#x', 'item', '\0', '\r', 'é');
    const noise = fc.array(fc.oneof(pieces, more, fc.string({ unit: 'binary' })), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(noise, fc.boolean(), async (parts, isInside) => {
        const body = isInside ? `<XResponse>${parts.join('')}</XResponse>` : parts.join('');
        try {
          (await readAnswer(body, 'XResponse')).items('set');
        } catch (error) {
          expect(error).to.be.instanceOf(UnreadableAnswer);
        }
        readRefusal(body);
      }),
      { numRuns: 500 },
    );
  });

  const HALF = 2_500_000;
  const entities = Array.from({ length: 60 }, (_, n) => `<!ENTITY e${n + 1} "&e${n};&e${n};">`).join('');
  const monsters: [what: string, isRead: boolean, body: string][] = [
    ['100,000 levels', false, `<XResponse>${'<a>'.repeat(100_000)}${'</a>'.repeat(100_000)}</XResponse>`],
    ['a huge text', true, `<XResponse><id>${'x'.repeat(2 * HALF)}</id></XResponse>`],
    ['a million elements', true, `<XResponse><set>${'<a/>'.repeat(1_000_000)}</set></XResponse>`],
    ['a huge attribute', true, `<XResponse a="${'x'.repeat(2 * HALF)}"/>`],
    ['many attributes', true, `<XResponse ${Array.from({ length: 200_000 }, (_, n) => `a${n}="1"`).join(' ')}/>`],
    ['a huge name', false, `<${'X'.repeat(2 * HALF)}/>`],
    ['many references', true, `<XResponse><id>${'&amp;'.repeat(HALF / 2)}</id></XResponse>`],
    ['a reference without end', false, `<XResponse><id>&${'a'.repeat(2 * HALF)}</id></XResponse>`],
    ['many unknown references', false, `<XResponse><id>${'&a;'.repeat(HALF)}</id></XResponse>`],
    ['forbidden characters only', false, `<XResponse><id>${'\0'.repeat(2 * HALF)}</id></XResponse>`],
    ['brackets in CDATA', true, `<XResponse><id><![CDATA[${']'.repeat(HALF)}]]></id></XResponse>`],
    ['a huge comment', true, `<XResponse><!--${'x-'.repeat(HALF)}x--></XResponse>`],
    ['many entities', true, `<!DOCTYPE X [${'<!ENTITY x "y">'.repeat(HALF / 10)}]><XResponse/>`],
    ['exploding entities', true, `<!DOCTYPE X [<!ENTITY e0 "ha">${entities}]><XResponse><id>&e60;</id></XResponse>`],
    [
      'external entities',
      true,
      '<!DOCTYPE X [<!ENTITY x SYSTEM "file:///etc/passwd">]><XResponse><id>&x;</id></XResponse>',
    ],
    ['an external DTD', true, '<!DOCTYPE X SYSTEM "http://127.0.0.1:1/x.dtd"><XResponse/>'],
  ];
  for (const [what, isRead, body] of monsters) {
    it(`hold up nothing else and expand to nothing with ${what}`, async () => {
      const loop = watchLoop();
      const startedAtMs = processorTimeMs();
      const answer = await readAnswer(body, 'XResponse').catch((error: unknown) => error);
      const longestBlockMs = loop.stop();
      if (isRead) expect((answer as XmlElement).text('id').length).to.be.at.most(body.length);
      else expect(answer).to.be.instanceOf(UnreadableAnswer);
      // It takes about 1 s and 40 ms; anything that grows with the square would take minutes.
      expect(processorTimeMs() - startedAtMs).to.be.below(10_000);
      expect(longestBlockMs).to.be.below(1_000);
    });
  }
});

/** What this thread has computed, in ms: whatever else the machine does meanwhile does not count. */
function processorTimeMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Measures for how long the event loop does not come round, in ms of processor time. */
function watchLoop(): { stop(): number } {
  let lastMs = processorTimeMs();
  let longestMs = 0;
  let turn: NodeJS.Immediate;
  const look = (): void => {
    const nowMs = processorTimeMs();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
    turn = setImmediate(look);
  };
  look();
  return {
    stop: () => {
      clearImmediate(turn);
      return longestMs;
    },
  };
}

describe('refusals', () => {
  const ERROR =
    '<Response><Errors><Error><Code>Client.AuthFailure</Code><Message>It&apos;s wrong</Message></Error></Errors><RequestID>r-1</RequestID></Response>';
  const REFUSAL = { code: 'Client.AuthFailure', message: "It's wrong", requestId: 'r-1' };

  it('are read with and without an XML declaration', () => {
    expect(readRefusal(ERROR)).to.deep.equal(REFUSAL);
    expect(readRefusal(`<?xml version="1.0" encoding="UTF-8"?>${ERROR}`)).to.deep.equal(REFUSAL);
  });

  it('are found in a body that lacks its end', () => {
    expect(readRefusal(ERROR.slice(0, -1))).to.deep.equal(REFUSAL);
    expect(readRefusal(ERROR.slice(0, ERROR.indexOf('<Message>')))).to.deep.equal({
      ...REFUSAL,
      message: '',
      requestId: '',
    });
  });

  it('are not seen in a body that is cut inside the code', () => {
    expect(readRefusal(ERROR.slice(0, ERROR.indexOf('Failure</Code>')))).to.equal(undefined);
  });

  for (const body of [
    '',
    '<html><body><h1>502</h1><code>Bad.Gateway</code></body></html>',
    '<DescribeInstancesResponse><stateReason><Code>Server.Stopped</Code></stateReason></DescribeInstancesResponse>',
    '<Response><Errors><Error><Code></Code></Error></Errors></Response>',
    '<DescribeXResponse><memo><![CDATA[<Error><Code>Client.InvalidParameterNotFound.X</Code>]]></memo><cut',
  ]) {
    it(`are not seen in ${body === '' ? 'an empty body' : body.slice(0, 40)}`, () => {
      expect(readRefusal(body)).to.equal(undefined);
    });
  }

  for (const [what, body] of [
    ['opens errors without end', `<Response>${'<Error>'.repeat(500_000)}`],
    ['opens codes without end', `<Response>${'<Error><Code>'.repeat(250_000)}`],
    ['is cut in a long run of blanks', `<Response><Error><Code>A.B</Code><RequestID>${' '.repeat(2_000_000)}`],
    ['is cut in a long code', `<Response><Error><Code>${'A'.repeat(2_000_000)}`],
    ['begins with blanks and declarations', `${' '.repeat(1_000_000)}${'<?xml '.repeat(200_000)}`],
  ] as const) {
    // Nothing else runs meanwhile: no other call, no time-out, no health page.
    it(`are looked for in no more time than it takes to read a body that ${what}`, () => {
      const startedAtMs = processorTimeMs();
      readRefusal(body);
      expect(processorTimeMs() - startedAtMs).to.be.below(2_000);
    });
  }
});
