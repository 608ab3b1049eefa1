import type { Handler } from '../api/call.ts';
import { describeSecurityGroups } from './firewall-groups.ts';
import { describeInstanceAttribute, describeInstances } from './instances.ts';
import { describeLoadBalancers } from './l4-descriptions.ts';
import {
  configureHealthCheck,
  deregisterInstances,
  describeInstanceHealth,
  registerInstances,
  setFilter,
} from './l4-ports.ts';
import { createLoadBalancer, deleteLoadBalancer, registerPort, updateLoadBalancer } from './l4-load-balancers.ts';
import { describeAvailabilityZones, describeRegions } from './regions.ts';
import {
  attachVolume,
  createVolume,
  deleteVolume,
  describeVolumes,
  detachVolume,
  extendVolumeSize,
  modifyVolumeAttribute,
} from './volumes.ts';
import type { AnswerStyle } from '../api/wire.ts';

export interface Action {
  readonly handler: Handler;
  readonly mutating: boolean;
  readonly style: AnswerStyle;
}

function reads(style: AnswerStyle, handler: Handler): Action {
  return { handler, mutating: false, style };
}

function changes(style: AnswerStyle, handler: Handler): Action {
  return { handler, mutating: true, style };
}

/** All that the simulator can do; any other action is answered as unknown. */
export const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ['AttachVolume', changes('ec2', attachVolume)],
  ['ConfigureHealthCheck', changes('elb', configureHealthCheck)],
  ['CreateLoadBalancer', changes('elb', createLoadBalancer)],
  ['CreateVolume', changes('ec2', createVolume)],
  ['DeleteLoadBalancer', changes('elb', deleteLoadBalancer)],
  ['DeleteVolume', changes('ec2', deleteVolume)],
  ['DeregisterInstancesFromLoadBalancer', changes('elb', deregisterInstances)],
  ['DescribeAvailabilityZones', reads('ec2', describeAvailabilityZones)],
  ['DescribeInstanceAttribute', reads('ec2', describeInstanceAttribute)],
  ['DescribeInstanceHealth', reads('elb', describeInstanceHealth)],
  ['DescribeInstances', reads('ec2', describeInstances)],
  ['DescribeLoadBalancers', reads('elb', describeLoadBalancers)],
  ['DescribeRegions', reads('ec2', describeRegions)],
  ['DescribeSecurityGroups', reads('ec2', describeSecurityGroups)],
  ['DescribeVolumes', reads('ec2', describeVolumes)],
  ['DetachVolume', changes('ec2', detachVolume)],
  ['ExtendVolumeSize', changes('ec2', extendVolumeSize)],
  ['ModifyVolumeAttribute', changes('ec2', modifyVolumeAttribute)],
  ['RegisterInstancesWithLoadBalancer', changes('elb', registerInstances)],
  ['RegisterPortWithLoadBalancer', changes('elb', registerPort)],
  ['SetFilterForLoadBalancer', changes('elb', setFilter)],
  ['UpdateLoadBalancer', changes('elb', updateLoadBalancer)],
]);
