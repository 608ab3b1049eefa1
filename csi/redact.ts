/** Fields whose content must not be logged: `csi_secret` in the specification, and mount flags, which may hold passwords. */
const HIDDEN_FIELDS: ReadonlySet<string> = new Set(['secrets', 'mount_flags']);

const HIDDEN = '***';

/** A copy of a message that may be logged. The marks of csi.proto do not survive loading, so fields are known by name. */
export function redacted(message: unknown): unknown {
  if (Array.isArray(message)) return message.map(redacted);
  if (typeof message !== 'object' || message === null) return message;
  return Object.fromEntries(
    Object.entries(message).map(([field, value]) => [
      field,
      HIDDEN_FIELDS.has(field) ? hidden(value) : redacted(value),
    ]),
  );
}

/** Shows whether there was something, never what. */
function hidden(value: unknown): unknown {
  const isEmpty = typeof value !== 'object' || value === null || Object.keys(value).length === 0;
  return isEmpty ? value : HIDDEN;
}
