import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { UsageError } from '../../../daemon/flags.ts';
import { describeError } from '../../../daemon/logger.ts';

/** PEM files; the certificate may be followed by its chain. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** @throws UsageError when a file can not be read, is no PEM, or the key is another certificate's */
export function readTlsFiles({ certFile, keyFile }: TlsFiles): { readonly cert: string; readonly key: string } {
  try {
    const pems = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
    createSecureContext(pems);
    return pems;
  } catch (cause) {
    throw new UsageError(`TLS certificate ${certFile} with key ${keyFile}: ${describeError(cause)}`, { cause });
  }
}
