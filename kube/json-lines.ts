const NEWLINE = 0x0a;

/**
 * The JSON values of a stream that holds one on each line, as a watch does.
 *
 * - A line may come in any number of chunks, cut anywhere, also inside a multi-byte character: bytes become text only when
 *   their line is whole.
 * - Blank lines are skipped.
 * - Bytes after the last newline are a line that was cut off, hence an error, even if they parse.
 *
 * @throws SyntaxError at the first line that is not JSON or not whole.
 */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void, undefined> {
  let parts: Uint8Array[] = []; // the unfinished line; joined once, when it ends, so that a long one costs no more than its length
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      const line = Buffer.concat(parts).toString('utf8').trim();
      parts = [];
      start = end + 1;
      if (line !== '') yield parsed(line);
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  const rest = Buffer.concat(parts).toString('utf8').trim();
  if (rest !== '') throw new SyntaxError('the last line is not whole');
}

/** JSON.parse, without its habit of quoting the text in the error: it may hold a secret. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new SyntaxError('a line is not JSON');
  }
}
