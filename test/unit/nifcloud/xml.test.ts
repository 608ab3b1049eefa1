import { expect } from 'chai';
import * as fc from 'fast-check';
import { readAnswer, readRefusal, UnreadableAnswer, type XmlElement } from '../../../nifcloud/xml.ts';

const read = (content: string): XmlElement => readAnswer(`<XResponse>${content}</XResponse>`, 'XResponse');

describe('answers', () => {
  it('match element names without regard to case, namespace and attributes', () => {
    const answer = readAnswer(
      '<?xml version="1.0"?>\n<n:xRESPONSE xmlns:n="u"><n:AccountingType a="b">2</n:AccountingType></n:xRESPONSE>',
      'XResponse',
    );
    expect(answer.text('accountingType')).to.equal('2');
  });

  it('treat empty elements as not set', () => {
    for (const content of ['', '<a/>', '<a></a>', '<a> \n </a>', '<a><![CDATA[]]></a>']) {
      const answer = read(content);
      expect(answer.text('a')).to.equal('');
      expect(answer.texts('a')).to.deep.equal([]);
      expect(answer.number('a')).to.equal(undefined);
      expect(answer.child('a').text('b')).to.equal('');
      expect(answer.items('a')).to.deep.equal([]);
      expect(() => answer.requiredText('a')).to.throw(UnreadableAnswer, '<a>');
    }
  });

  it('give <item> and <member> lists as arrays, however many entries they hold', () => {
    for (const entry of ['item', 'member']) {
      for (const count of [0, 1, 2, 3]) {
        const entries = Array.from({ length: count }, (_, index) => `<${entry}><id>${index}</id></${entry}>`);
        const ids = read(`<set>${entries.join('')}</set>`)
          .items('set')
          .map((item) => item.text('id'));
        expect(ids).to.deep.equal(entries.map((_, index) => String(index)));
      }
    }
  });

  it('drop list entries without content', () => {
    expect(read('<set><item/><item></item><item><id>a</id></item></set>').items('set')).to.have.length(1);
  });

  it('give all elements that are repeated', () => {
    expect(read('<m><IPAddress>a</IPAddress><IPAddress>b</IPAddress></m>').child('m').texts('ipaddress')).to.deep.equal(
      ['a', 'b'],
    );
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
    it(`read ${text} as ${number === undefined ? 'no number' : `the number ${number}`}`, () => {
      expect(read(`<n>${text}</n>`).number('n')).to.equal(number);
    });
  }

  it('keep texts that look like numbers as they are', () => {
    expect(read('<id>0012e5</id>').text('id')).to.equal('0012e5');
  });

  it('resolve the references of XML, and nothing in CDATA', () => {
    expect(read('<d>&lt;a&gt; &amp;amp; &quot;&apos; &#12486;&#x30b9; &#x110000; &nbsp;</d>').text('d')).to.equal(
      '<a> &amp; "\' テス \u{FFFD} &nbsp;',
    );
    expect(read('<d><![CDATA[<b>&amp;]]></d>').text('d')).to.equal('<b>&amp;');
  });

  it('give back any text that was written into them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const printable = text.replaceAll(/\p{Cc}/gu, '').trim();
        const escaped = printable.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
        expect(read(`<d>${escaped}</d>`).text('d')).to.equal(printable);
      }),
    );
  });

  it('do not expand entities that they define themselves', () => {
    const bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "bbbbbbbbbb">]>';
    const answer = readAnswer(`${bomb}<XResponse><d>&a;&b;</d></XResponse>`, 'XResponse');
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
    ['after our prototype', '<XResponse><__proto__><id>1</id></__proto__></XResponse>'],
    ['nested without end', `<XResponse>${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}</XResponse>`],
  ];
  for (const [what, body] of unreadable) {
    it(`are unreadable when ${what}`, () => {
      expect(() => readAnswer(body, 'XResponse')).to.throw(UnreadableAnswer);
    });
  }

  it('are unreadable when cut anywhere', () => {
    const body =
      '<?xml version="1.0"?><XResponse><volumeSet><item><volumeId>a</volumeId></item><item><volumeId>b</volumeId></item></volumeSet></XResponse>';
    for (let length = 0; length < body.length; length++) {
      expect(() => readAnswer(body.slice(0, length), 'XResponse'), body.slice(0, length)).to.throw(UnreadableAnswer);
    }
  });
});

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
  ]) {
    it(`are not seen in ${body === '' ? 'an empty body' : body.slice(0, 40)}`, () => {
      expect(readRefusal(body)).to.equal(undefined);
    });
  }

  for (const [what, body] of [
    ['opens errors without end', '<Error>'.repeat(500_000)],
    ['opens codes without end', '<Error><Code>'.repeat(250_000)],
    ['is cut in a long run of blanks', `<Error><Code>A.B</Code><RequestID>${' '.repeat(2_000_000)}`],
    ['is cut in a long code', `<Error><Code>${'A'.repeat(2_000_000)}`],
  ] as const) {
    // Nothing else runs meanwhile: no other call, no time-out, no health page.
    it(`are looked for in no more time than it takes to read a body that ${what}`, () => {
      const startedAtMs = performance.now();
      readRefusal(body);
      expect(performance.now() - startedAtMs).to.be.below(2_000);
    });
  }
});
