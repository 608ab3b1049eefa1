import { setImmediate as otherWork } from 'node:timers/promises';
import { SaxesParser } from 'saxes';

/** Thrown when a body is not the answer it should be. Nothing may be concluded from it, least of all that something is absent. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
}

/**
 * Bytes that are read without a pause, about 1 ms of work; between the pieces of a larger answer the event loop goes round, so that
 * the listing of 10,000 disks (7 MB) holds nothing else up.
 */
const PIECE_LENGTH = 64 * 1024;

/** Bytes of a body in which an error is looked for: those of the cloud have some hundred. */
export const LONGEST_REFUSAL = 64 * 1024;

/** Elements inside each other; answers have about ten. Each level that is open costs memory. Our choice. */
const DEEPEST_NESTING = 100;

/**
 * What XML forbids in a text, in saxes' words, and yet harms nothing but that text, which stays as it stands: a control character in
 * somebody's memo must not hide all disks.
 */
const HARMLESS_FAULTS: readonly string[] = [
  'disallowed character.',
  'malformed character entity.',
  'undefined entity.',
];

/** More of them make a body unreadable: each takes time. Our choice. */
const MOST_FAULTS = 1_000;

/** Texts of up to so many characters, and so many of them, are kept once however often they stand in an answer. Our choice. */
const LONGEST_COMMON_TEXT = 64;
const MOST_COMMON_TEXTS = 10_000;

const NO_CHILDREN: readonly XmlElement[] = [];

/**
 * An element of an answer, read by the rules of docs/reference/nifcloud-api.md §1.5.
 *
 * - Element names match without regard to case; namespaces and attributes are ignored.
 * - Empty text means "not set": an empty element and a missing one are the same.
 * - `<item>` and `<member>` lists are arrays, however many entries they hold; empty entries are none.
 */
export class XmlElement {
  readonly #name: string;
  readonly #text: string;
  readonly #children: readonly XmlElement[];

  /** @param name without prefix, in lower case */
  constructor(name: string, text: string, children: readonly XmlElement[]) {
    this.#name = name;
    this.#text = text;
    this.#children = children;
  }

  /** Text of the child `name`; `''` = not set. Of several children, the first that is set. */
  text(name: string): string {
    const wanted = name.toLowerCase();
    for (const child of this.#children) if (child.#name === wanted && child.#text !== '') return child.#text;
    return '';
  }

  /** Texts of all children `name` that are set. */
  texts(name: string): string[] {
    return this.#named(name)
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
    return this.#named(name)[0] ?? new XmlElement('', '', []);
  }

  /** The entries of the list `name`. */
  items(name: string): XmlElement[] {
    return this.#named(name)
      .flatMap((list) => [...list.#named('item'), ...list.#named('member')])
      .filter((entry) => entry.#text !== '' || entry.#children.length > 0);
  }

  #named(name: string): XmlElement[] {
    const wanted = name.toLowerCase();
    return this.#children.filter((child) => child.#name === wanted);
  }
}

/**
 * Reads an answer as it comes in, without blocking the event loop, however large it is.
 *
 * @param body in UTF-8
 * @param unread names of elements whose content nobody asks for, in lower case: they come out empty. A listing of 200 load balancers with
 *   500 targets each has 27 MB, most of which says how each target feels.
 * @throws UnreadableAnswer when the body is not a whole, well-formed document with the root element `rootName`; the signal's reason
 */
export async function readAnswer(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  rootName: string,
  { signal, unread = [] }: { readonly signal?: AbortSignal; readonly unread?: readonly string[] } = {},
): Promise<XmlElement> {
  const reader = new Reader(new Set(unread));
  const decoder = new TextDecoder();
  let isFirst = true;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += PIECE_LENGTH) {
      if (!isFirst) await otherWork();
      isFirst = false;
      signal?.throwIfAborted();
      reader.write(decoder.decode(chunk.subarray(at, at + PIECE_LENGTH), { stream: true }));
    }
  }
  signal?.throwIfAborted();
  reader.write(decoder.decode());
  const { name, element } = reader.end();
  if (name !== rootName.toLowerCase()) throw new UnreadableAnswer(`the answer is a <${name}>, not a <${rootName}>`);
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
 * spelling, since gateways answer with HTML pages, in which `<code>` means something else; and only in a `<Response>`, since an answer
 * that is cut may hold a text of somebody's that looks like an error.
 */
export function readRefusal(whole: string): Refusal | undefined {
  const body = whole.slice(0, LONGEST_REFUSAL); // a longer one would take time
  try {
    const reader = new Reader(new Set());
    reader.write(body);
    const { name, element } = reader.end();
    const error = element.child('Errors').child('Error');
    if (name === 'response' && error.text('Code') !== '') {
      return { code: error.text('Code'), message: error.text('Message'), requestId: element.text('RequestID') };
    }
  } catch (error) {
    if (!(error instanceof UnreadableAnswer)) throw error;
  }
  // No pattern here has two ways to take the same text: on a body of megabytes it would not come back.
  const start = /^\s*(?:<\?xml[^>]*>\s*)?<Response\b/.test(body) ? body.indexOf('<Error>') : -1;
  const code = start === -1 ? undefined : /<Code>\s*([A-Z][\w.]*)\s*<\/Code>/.exec(body.slice(start))?.[1];
  if (code === undefined) return undefined;
  const message = /<Message>([^<]*)<\/Message>/.exec(body)?.[1] ?? '';
  const requestId = /<RequestI[Dd]>\s*([^<\s]*)/.exec(body)?.[1] ?? '';
  return { code, message: decodeReferences(message).trim(), requestId };
}

/**
 * Makes elements of a document that comes in pieces. It takes up no entities that the document defines itself, so none can expand.
 * Its methods throw UnreadableAnswer.
 */
class Reader {
  readonly #parser = new SaxesParser({ position: false });
  /** The elements whose tags are open, from the root inwards. */
  readonly #open: { readonly name: string; text: string; children: XmlElement[] | undefined }[] = [];
  #root: { readonly name: string; readonly element: XmlElement } | undefined;
  /** As they count, by how they are written. */
  readonly #names = new Map<string, string>();
  readonly #texts = new CommonTexts();

  constructor(unread: ReadonlySet<string>) {
    const open = this.#open;
    let faults = 0;
    let unreadFrom = Infinity; // at this depth an element is open whose content is passed over
    this.#parser.on('error', (error) => {
      faults += 1;
      if (!HARMLESS_FAULTS.includes(error.message) || faults > MOST_FAULTS) throw error;
    });
    const addText = (text: string): void => {
      const element = open.at(-1);
      if (element !== undefined && open.length < unreadFrom) element.text += text;
    };
    this.#parser.on('text', addText);
    this.#parser.on('cdata', addText);
    this.#parser.on('opentag', (tag) => {
      if (open.length === DEEPEST_NESTING) throw new UnreadableAnswer('its elements are nested too deeply');
      const name = this.#nameOf(tag.name);
      open.push({ name, text: '', children: undefined });
      if (unread.has(name)) unreadFrom = Math.min(unreadFrom, open.length);
    });
    this.#parser.on('closetag', () => {
      const depth = open.length;
      const closed = open.pop();
      if (closed === undefined || depth > unreadFrom) return;
      unreadFrom = Infinity;
      const element = new XmlElement(closed.name, this.#texts.of(closed.text.trim()), closed.children ?? NO_CHILDREN);
      const parent = open.at(-1);
      if (parent === undefined) this.#root = { name: closed.name, element };
      else (parent.children ??= []).push(element);
    });
  }

  write(piece: string): void {
    this.#parse(() => this.#parser.write(piece));
  }

  /** The root element, now that everything is written. */
  end(): { readonly name: string; readonly element: XmlElement } {
    this.#parse(() => this.#parser.close()); // a truncated document is an error, not a shorter one
    if (this.#root === undefined) throw new UnreadableAnswer('not one root element');
    return this.#root;
  }

  #nameOf(written: string): string {
    const known = this.#names.get(written);
    if (known !== undefined) return known;
    const name = written.slice(written.indexOf(':') + 1).toLowerCase();
    if (this.#names.size < MOST_COMMON_TEXTS && written.length <= LONGEST_COMMON_TEXT) this.#names.set(written, name);
    return name;
  }

  #parse(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (error instanceof UnreadableAnswer) throw error;
      throw new UnreadableAnswer(`not a whole XML document: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** Gives equal texts as one, which is a copy: a part of a text keeps the whole of it in memory. */
class CommonTexts {
  readonly #known = new Map<string, string>();

  of(text: string): string {
    if (text === '' || text.length > LONGEST_COMMON_TEXT) return text;
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size === MOST_COMMON_TEXTS || !text.isWellFormed()) return text;
    const copy = Buffer.from(text).toString();
    this.#known.set(copy, copy);
    return copy;
  }
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
