import type { Handler } from '../api/call.ts';
import { illegal } from '../api/wire.ts';
import type { Parameters } from '../api/wire.ts';
import { PROTOCOLS } from '../world/listeners.ts';
import type { Listener } from '../world/listeners.ts';
import type { World } from '../world/world.ts';
import { healthCheckFields, listenerFields } from './elastic-descriptions.ts';
import {
  readCertificate,
  readDescription,
  readElasticHealthCheck,
  readListener,
  readSession,
  readSorryPage,
  requireFreePort,
  requireReachable,
  requireRoom,
} from './elastic-listener-settings.ts';
import { REGISTERED } from './elastic-load-balancers.ts';
import { addressedListener, changeableListener, elasticNamed, requireAvailable } from './elastic-lookups.ts';
import { readBalancing, readPort, requireCertificate, requireHealthCheck } from './listener-settings.ts';
import { namedServers, requiredServers, stateFields, targetsOf, withTargets } from './targets.ts';

/** NiftyRegisterPortWithElasticLoadBalancer: the second and third listener. */
export const registerElasticPort: Handler = (call) => {
  const { world, parameters } = call;
  const loadBalancer = requireAvailable(elasticNamed(world, parameters));
  const { prefix, listener } = readListener(world, parameters);
  parameters.requiredInteger(`${prefix}.InstancePort`);
  requireRoom(loadBalancer, listener);
  loadBalancer.listeners.push(listener);
  loadBalancer.transition = call.transition('elastic-change');
  return { Listeners: { member: [listenerFields(listener)] } };
};

/** NiftyConfigureElasticLoadBalancerHealthCheck: path and codes that are not sent are unset (invented). */
export const configureElasticHealthCheck: Handler = (call) => {
  const { loadBalancer, listener } = changeableListener(call);
  requireHealthCheck(call.parameters);
  listener.healthCheck = readElasticHealthCheck(call.parameters, 'HealthCheck');
  loadBalancer.transition = call.transition('elastic-change');
  return { HealthCheck: healthCheckFields(listener) };
};

/** NiftyRegisterInstancesWithElasticLoadBalancer: all of the servers or none; unlike L4 it echoes nothing (nifcloud-api.md §5.4). */
export const registerElasticInstances: Handler = (call) => {
  const { world, parameters } = call;
  const { loadBalancer, listener } = changeableListener(call);
  const servers = requiredServers(world, parameters, 'names-and-ids');
  requireReachable(world, loadBalancer.zone, servers);
  listener.targets = withTargets(listener, servers, REGISTERED);
  loadBalancer.transition = call.transition('elastic-change');
  return {};
};

/** NiftyDeregisterInstancesFromElasticLoadBalancer: all of the servers or none. */
export const deregisterElasticInstances: Handler = (call) => {
  const { loadBalancer, listener } = changeableListener(call);
  const leaving = targetsOf(listener, requiredServers(call.world, call.parameters, 'names-and-ids'));
  listener.targets = listener.targets.filter((target) => !leaving.includes(target));
  loadBalancer.transition = call.transition('elastic-change');
  return {};
};

/** NiftyDescribeInstanceElasticLoadBalancerHealth: of the named servers, or of all; at any time. */
export const describeElasticInstanceHealth: Handler = ({ world, parameters }) => {
  const { listener } = addressedListener(world, parameters);
  const targets = targetsOf(listener, namedServers(world, parameters, 'names-and-ids'));
  return { InstanceStates: { member: targets.map((target) => stateFields(world, target)) } };
};

/** NiftyModifyElasticLoadBalancerAttributes: what the call does not mention stays, if the protocol allows it. */
export const modifyElasticAttributes: Handler = (call) => {
  const { world, parameters } = call;
  const { loadBalancer, listener } = changeableListener(call);
  const changes = readChanges(world, parameters, listener);
  const others = loadBalancer.listeners.filter((one) => one !== listener);
  requireFreePort(others, changes.protocol, changes.loadBalancerPort);
  Object.assign(listener, changes);
  loadBalancer.transition = call.transition('elastic-change');
  return undefined;
};

/** NiftyReplaceElasticLoadBalancerListenerSSLCertificate: only of an HTTPS listener. */
export const replaceElasticCertificate: Handler = (call) => {
  const { world, parameters } = call;
  parameters.choice('Protocol', ['HTTPS']);
  const { loadBalancer, listener } = changeableListener(call);
  listener.sslCertificateId = requireCertificate(world, parameters.requiredText('SSLCertificateId'));
  loadBalancer.transition = call.transition('elastic-change');
  return {};
};

const ATTRIBUTES = 'LoadBalancerAttributes';
const ADDITIONAL = `${ATTRIBUTES}.AdditionalAttributes.member`;
const KEYS = [
  'protocol',
  'elasticLoadBalancerPort',
  'instancePort',
  'description',
  'balancingType',
  'sslCertificateId',
] as const;

/**
 * A listener that leaves HTTPS loses its certificate, and one that leaves HTTP and HTTPS its sorry page (invented: the cloud's
 * Terraform provider sends no such thing along). An empty description removes it; other keys need a value.
 */
function readChanges(world: World, parameters: Parameters, held: Listener) {
  const values = readValueNames(parameters);
  const valueOf = (key: (typeof KEYS)[number]): string => values.get(key) ?? `${ADDITIONAL}.${key}`;
  for (const [key, value] of values) if (key !== 'description') parameters.requiredText(value);
  const protocol = parameters.choice(valueOf('protocol'), PROTOCOLS) ?? held.protocol;
  return {
    protocol,
    loadBalancerPort: readPort(parameters, valueOf('elasticLoadBalancerPort')) ?? held.loadBalancerPort,
    instancePort: readPort(parameters, valueOf('instancePort')) ?? held.instancePort,
    description: values.has('description') ? readDescription(parameters, valueOf('description')) : held.description,
    balancingType: readBalancing(parameters, valueOf('balancingType')) ?? held.balancingType,
    sslCertificateId: readCertificate(world, parameters, valueOf('sslCertificateId'), protocol, held.sslCertificateId),
    stickiness: readSession(parameters, ATTRIBUTES, held.stickiness),
    sorryPage: readSorryPage(parameters, ATTRIBUTES, protocol, held.sorryPage),
  } satisfies Partial<Listener>;
}

/** Of each key that was sent the name of the parameter with its value. */
function readValueNames(parameters: Parameters): ReadonlyMap<(typeof KEYS)[number], string> {
  const names = new Map<(typeof KEYS)[number], string>();
  for (const index of parameters.indexes(ADDITIONAL)) {
    parameters.requiredText(`${ADDITIONAL}.${index}.Key`);
    const key = parameters.choice(`${ADDITIONAL}.${index}.Key`, KEYS);
    if (key === undefined) continue;
    if (names.has(key)) throw illegal(`${ADDITIONAL}.${index}.Key`, `${key} is there twice`);
    names.set(key, `${ADDITIONAL}.${index}.Value`);
  }
  return names;
}
