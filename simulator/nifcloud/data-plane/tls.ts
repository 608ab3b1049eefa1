import type { Certificate } from '../../../daemon/certificate.ts';
import type { Clock } from '../../../daemon/clock.ts';
import type { Listener } from '../world/listeners.ts';

let made: Promise<Certificate> | undefined;

/** Whether a listener ends TLS: one of HTTPS, and one of L4 that has a certificate (docs/reference/nifcloud-api.md §4.3). */
export function endsTls({ protocol, sslCertificateId }: Listener): boolean {
  return protocol === 'HTTPS' || (protocol === 'TCP' && sslCertificateId !== '');
}

/**
 * The certificate that all listeners of this process serve, whichever is set: the API hands in ids, not keys. Made when it is
 * first needed, with its libraries loaded only then: they take as long as all the rest of a start.
 */
export function servingCertificate(clock: Clock): Promise<Certificate> {
  made ??= makeCertificate(clock.now());
  return made;
}

async function makeCertificate(nowMs: number): Promise<Certificate> {
  const { selfSignedCertificate } = await import('../../../daemon/certificate.ts');
  return selfSignedCertificate(['localhost'], nowMs);
}
