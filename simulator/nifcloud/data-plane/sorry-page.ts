import type { ServerResponse } from 'node:http';
import type { SorryPage } from '../world/listeners.ts';

/** The answer when a sorry page has neither a status (L4) nor a URL (elastic). Invented. */
const DEFAULT_STATUS = 503;

/** Answers a request that no target can serve: sends it to the page's URL, or with the page's status and a small text (invented). */
export function apologize(response: ServerResponse, { statusCode, redirectUrl }: SorryPage): void {
  if (redirectUrl !== '') {
    response.writeHead(302, { location: redirectUrl, 'content-length': 0 }).end();
    return;
  }
  response.writeHead(statusCode || DEFAULT_STATUS, { 'content-type': 'text/html', connection: 'close' });
  response.end('<!DOCTYPE html><title>Sorry</title><p>The service is not available at the moment.</p>\n');
}
