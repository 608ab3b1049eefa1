import { UnreadableAnswer, type XmlElement } from './xml.ts';

/** A flag in an answer; one that is not set is false. */
export function isTrue(parent: XmlElement, name: string): boolean {
  return parent.text(name).toLowerCase() === 'true';
}

/** @throws UnreadableAnswer when it is not set, or no number */
export function requiredNumber(parent: XmlElement, name: string): number {
  const number = parent.number(name);
  if (number === undefined) throw new UnreadableAnswer(`an element lacks its <${name}>`);
  return number;
}
