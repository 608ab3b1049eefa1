import { XMLParser } from 'fast-xml-parser';

/** Thrown when a body is not the answer it should be. Nothing may be concluded from it, least of all that something is absent. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
}

type Content = string | Fields;
type Fields = { readonly [name: string]: Content | readonly Content[] };

/**
 * An element of an answer, read by the rules of docs/reference/nifcloud-api.md §1.5.
 *
 * - Element names match without regard to case; namespaces and attributes are ignored.
 * - Empty text means "not set": an empty element and a missing one are the same.
 * - `<item>` and `<member>` lists are arrays, however many entries they hold; empty entries are none.
 */
export class XmlElement {
  readonly #fields: Fields;
  readonly #text: string;

  constructor(content: Content) {
    this.#fields = typeof content === 'string' ? {} : content;
    this.#text = typeof content === 'string' ? content : '';
  }

  /** Text of the child `name`; `''` = not set. Of several children, the first. */
  text(name: string): string {
    return this.texts(name)[0] ?? '';
  }

  /** Texts of all children `name` that are set. */
  texts(name: string): string[] {
    return this.#children(name)
      .map((child) => child.#text)
      .filter((text) => text !== '');
  }

  /** Text of a child without which the element makes no sense. @throws UnreadableAnswer when it is not set */
  requiredText(name: string): string {
    const text = this.text(name);
    if (text === '') throw new UnreadableAnswer(`an element lacks its <${name}>`);
    return text;
  }

  /** Number in the child `name`; `undefined` = not set, or no number. */
  number(name: string): number | undefined {
    const text = this.text(name);
    return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
  }

  /** The child `name`; an empty element when it is missing. Of several children, the first. */
  child(name: string): XmlElement {
    return this.#children(name)[0] ?? new XmlElement('');
  }

  /** The entries of the list `name`. */
  items(name: string): XmlElement[] {
    return this.#children(name)
      .flatMap((list) => [...list.#children('item'), ...list.#children('member')])
      .filter((entry) => !entry.#isEmpty());
  }

  #children(name: string): XmlElement[] {
    const content = this.#fields[name.toLowerCase()];
    if (content === undefined) return [];
    return [content].flat().map((child: Content) => new XmlElement(child));
  }

  #isEmpty(): boolean {
    return this.#text === '' && Object.keys(this.#fields).length === 0;
  }
}

/** @throws UnreadableAnswer when the body is not a whole, well-formed document with the root element `rootName` */
export function readAnswer(body: string, rootName: string): XmlElement {
  const { root, element } = parseDocument(body);
  if (root !== rootName.toLowerCase()) throw new UnreadableAnswer(`the answer is a <${root}>, not a <${rootName}>`);
  return element;
}

/** An error as the cloud words it (§1.6). */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
}

/**
 * The error in a body; `undefined` when it holds none.
 *
 * Bodies that are not well-formed are searched as text (one recorded error lacks its final `>`): an `<Error>` and a `<Code>` in the cloud's
 * spelling, since gateways answer with HTML pages, in which `<code>` means something else.
 */
export function readRefusal(body: string): Refusal | undefined {
  try {
    const { root, element } = parseDocument(body);
    const error = element.child('Errors').child('Error');
    if (root === 'response' && error.text('Code') !== '') {
      return { code: error.text('Code'), message: error.text('Message'), requestId: element.text('RequestID') };
    }
  } catch (error) {
    if (!(error instanceof UnreadableAnswer)) throw error;
  }
  // No pattern here has two ways to take the same text: on a body of megabytes it would not come back.
  const start = body.indexOf('<Error>');
  const code = start === -1 ? undefined : /<Code>\s*([A-Z][\w.]*)\s*<\/Code>/.exec(body.slice(start))?.[1];
  if (code === undefined) return undefined;
  const message = /<Message>([^<]*)<\/Message>/.exec(body)?.[1] ?? '';
  const requestId = /<RequestI[Dd]>\s*([^<\s]*)/.exec(body)?.[1] ?? '';
  return { code, message: decodeReferences(message).trim(), requestId };
}

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  parseTagValue: false, // names may look like numbers: '0012', '1e5'
  removeNSPrefix: true,
  transformTagName: (name) => name.toLowerCase(),
  // Entities that a document defines itself are never taken up, so none can expand.
  entityDecoder: {
    decode: decodeReferences,
    addInputEntities: () => {},
    setExternalEntities: () => {},
    setXmlVersion: () => {},
    reset: () => {},
  },
});

function parseDocument(body: string): { readonly root: string; readonly element: XmlElement } {
  let document: Fields;
  try {
    document = parser.parse(body, true) as Fields; // `true`: a truncated document is an error, not a shorter one
  } catch (error) {
    throw new UnreadableAnswer(`not a whole XML document: ${error instanceof Error ? error.message : String(error)}`);
  }
  const [root, ...more] = Object.entries(document);
  if (root === undefined || more.length > 0 || Array.isArray(root[1]))
    throw new UnreadableAnswer('not one root element');
  return { root: root[0], element: new XmlElement(root[1] as Content) };
}

const NAMED_REFERENCES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decodeReferences(text: string): string {
  return text.replace(
    /&(?:#x([\da-f]{1,6})|#(\d{1,7})|(\w+));/gi,
    (reference, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return NAMED_REFERENCES[name] ?? reference;
      const codePoint = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return codePoint <= 0x10_ff_ff ? String.fromCodePoint(codePoint) : '\u{FFFD}';
    },
  );
}
