import type { Handler } from '../api/call.ts';
import { illegal } from '../api/wire.ts';
import type { Parameters } from '../api/wire.ts';
import type { Listener, SorryPage } from '../world/listeners.ts';
import { addressedPort } from './l4-descriptions.ts';
import { SORRY_PAGE_PORT } from './l4-load-balancers.ts';
import { NO_SORRY_PAGE, readStickiness, requireCertificate } from './listener-settings.ts';

/** The longest time of sticking to a server, in minutes: one source says 30, a later one 60 (docs/reference/nifcloud-api.md §4.3). */
const MAX_STICKY_MINUTES = 60;

/** UpdateLoadBalancerOption: stickiness and sorry page; what the call does not mention stays. */
export const updateOption: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  const stickiness = readStickiness(parameters, 'SessionStickinessPolicyUpdate', port.stickiness, {
    maxMinutes: MAX_STICKY_MINUTES,
    hasMethods: false,
  });
  const sorryPage = readSorryPage(parameters, port);
  port.stickiness = stickiness;
  port.sorryPage = sorryPage;
  return undefined;
};

/** ClearLoadBalancerSession: every client may get another server from now on. */
export const clearSession: Handler = ({ world, parameters, nowMs }) => {
  addressedPort(world, parameters).port.sessionsClearedAtMs = nowMs;
  return {};
};

/** SetLoadBalancerListenerSSLCertificate: it takes the place of the one that the port had (invented). */
export const setCertificate: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  port.sslCertificateId = requireCertificate(world, parameters.requiredText('SSLCertificateId'));
  return {};
};

/** UnsetLoadBalancerListenerSSLCertificate, also of a port that has none (invented). */
export const unsetCertificate: Handler = ({ world, parameters }) => {
  addressedPort(world, parameters).port.sslCertificateId = '';
  return {};
};

/** NiftySetLoadBalancerSSLPoliciesOfListener: by id or by name. No source lists the policies, so every one exists (invented). */
export const setSslPolicy: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  const id = parameters.integer('SSLPolicyId');
  const name = parameters.text('SSLPolicyName');
  if (id !== undefined && name !== undefined) throw illegal('SSLPolicyName', 'SSLPolicyId is given as well');
  port.sslPolicyId = name ?? parameters.requiredText('SSLPolicyId');
  return undefined;
};

/** NiftyUnsetLoadBalancerSSLPoliciesOfListener, also of a port that has none (invented). */
export const unsetSslPolicy: Handler = ({ world, parameters }) => {
  addressedPort(world, parameters).port.sslPolicyId = '';
  return undefined;
};

/** Only for port 80, with status 200 or 503; switching it on needs a status, which switching it off forgets (the latter invented). */
function readSorryPage(parameters: Parameters, { sorryPage, loadBalancerPort }: Listener): SorryPage {
  const enabled = parameters.boolean('SorryPageUpdate.Enable') ?? sorryPage.enabled;
  const statusCode = Number(parameters.choice('SorryPageUpdate.StatusCode', ['200', '503']) ?? sorryPage.statusCode);
  if (!enabled) return NO_SORRY_PAGE;
  if (loadBalancerPort !== SORRY_PAGE_PORT) throw illegal('SorryPageUpdate.Enable', 'only port 80 has a sorry page');
  if (statusCode === 0) parameters.requiredText('SorryPageUpdate.StatusCode');
  return { ...NO_SORRY_PAGE, enabled, statusCode };
}
