import type { Attachment, ServerRef, Volume } from './cloud.ts';

/**
 * A change that the cloud has accepted is given up when the disk has not begun to change for this long, in ms. Listings may lag behind
 * by some seconds; what the cloud drops later no source says. Our choice.
 */
export const UNBEGUN_MS = 5 * 60_000;

/** The attachment that counts; `detached` is another word for none (docs/reference/nifcloud-api.md §3.4). */
function attachmentOf(volume: Volume): Attachment | undefined {
  return volume.attachments.find(({ status }) => status !== 'detached');
}

/** The server that has the disk, or is getting or losing it. */
export function serverOf(volume: Volume): ServerRef | undefined {
  const attachment = attachmentOf(volume);
  return attachment && { name: attachment.serverName, uniqueId: attachment.serverUniqueId };
}

/**
 * Whether the disk is free, or attached and done with it. Any other combination of states, known or not, is a transition: the
 * cloud refuses to act on the disk until that ends. An attachment that names no server could not be ended: it is one, too.
 */
export function isSettled(volume: Volume): boolean {
  const attachment = attachmentOf(volume);
  return attachment === undefined
    ? volume.status === 'available'
    : volume.status === 'in-use' && attachment.status === 'attached' && attachment.serverName !== '';
}

/** By unique id; by name only where one of them has no unique id. */
export function isSameServer(a: ServerRef | undefined, b: ServerRef | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.uniqueId === '' || b.uniqueId === '' ? a.name === b.name : a.uniqueId === b.uniqueId;
}
