import type { Handler } from '../api/call.ts';
import {
  createSecurityGroup,
  deleteSecurityGroup,
  deregisterMembers,
  describeSecurityGroups,
  registerMembers,
  updateSecurityGroup,
} from './firewall-groups.ts';
import { authorizeIngress, revokeIngress } from './firewall-rules.ts';
import { describeElasticLoadBalancers } from './elastic-descriptions.ts';
import {
  configureElasticHealthCheck,
  deregisterElasticInstances,
  describeElasticInstanceHealth,
  modifyElasticAttributes,
  registerElasticInstances,
  registerElasticPort,
  replaceElasticCertificate,
} from './elastic-listeners.ts';
import {
  createElasticLoadBalancer,
  deleteElasticLoadBalancer,
  replaceLatestVersion,
  updateElasticLoadBalancer,
} from './elastic-load-balancers.ts';
import {
  associateElasticRouteTable,
  disassociateElasticRouteTable,
  replaceElasticRouteTable,
} from './elastic-route-tables.ts';
import { modifyInstanceAttribute } from './instance-attributes.ts';
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
import {
  clearSession,
  setCertificate,
  setSslPolicy,
  unsetCertificate,
  unsetSslPolicy,
  updateOption,
} from './l4-options.ts';
import { describePrivateLans, describeRouters } from './networks.ts';
import { rebootInstances, startInstances, stopInstances } from './power.ts';
import { describeAvailabilityZones, describeRegions } from './regions.ts';
import {
  associateRouteTable,
  createRoute,
  createRouteTable,
  deleteRoute,
  deleteRouteTable,
  describeRouteTables,
  disassociateRouteTable,
  replaceRoute,
  replaceRouteTableAssociation,
} from './route-tables.ts';
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
  ['AssociateRouteTable', changes('ec2', associateRouteTable)],
  ['AttachVolume', changes('ec2', attachVolume)],
  ['AuthorizeSecurityGroupIngress', changes('ec2', authorizeIngress)],
  ['ClearLoadBalancerSession', changes('elb', clearSession)],
  ['ConfigureHealthCheck', changes('elb', configureHealthCheck)],
  ['CreateLoadBalancer', changes('elb', createLoadBalancer)],
  ['CreateRoute', changes('ec2', createRoute)],
  ['CreateRouteTable', changes('ec2', createRouteTable)],
  ['CreateSecurityGroup', changes('ec2', createSecurityGroup)],
  ['CreateVolume', changes('ec2', createVolume)],
  ['DeleteLoadBalancer', changes('elb', deleteLoadBalancer)],
  ['DeleteRoute', changes('ec2', deleteRoute)],
  ['DeleteRouteTable', changes('ec2', deleteRouteTable)],
  ['DeleteSecurityGroup', changes('ec2', deleteSecurityGroup)],
  ['DeleteVolume', changes('ec2', deleteVolume)],
  ['DeregisterInstancesFromLoadBalancer', changes('elb', deregisterInstances)],
  ['DeregisterInstancesFromSecurityGroup', changes('ec2', deregisterMembers)],
  ['DescribeAvailabilityZones', reads('ec2', describeAvailabilityZones)],
  ['DescribeInstanceAttribute', reads('ec2', describeInstanceAttribute)],
  ['DescribeInstanceHealth', reads('elb', describeInstanceHealth)],
  ['DescribeInstances', reads('ec2', describeInstances)],
  ['DescribeLoadBalancers', reads('elb', describeLoadBalancers)],
  ['DescribeRegions', reads('ec2', describeRegions)],
  ['DescribeRouteTables', reads('ec2', describeRouteTables)],
  ['DescribeSecurityGroups', reads('ec2', describeSecurityGroups)],
  ['DescribeVolumes', reads('ec2', describeVolumes)],
  ['DetachVolume', changes('ec2', detachVolume)],
  ['DisassociateRouteTable', changes('ec2', disassociateRouteTable)],
  ['ExtendVolumeSize', changes('ec2', extendVolumeSize)],
  ['ModifyInstanceAttribute', changes('ec2', modifyInstanceAttribute)],
  ['ModifyVolumeAttribute', changes('ec2', modifyVolumeAttribute)],
  ['NiftyAssociateRouteTableWithElasticLoadBalancer', changes('ec2', associateElasticRouteTable)],
  ['NiftyConfigureElasticLoadBalancerHealthCheck', changes('elb', configureElasticHealthCheck)],
  ['NiftyCreateElasticLoadBalancer', changes('elb', createElasticLoadBalancer)],
  ['NiftyDeleteElasticLoadBalancer', changes('elb', deleteElasticLoadBalancer)],
  ['NiftyDeregisterInstancesFromElasticLoadBalancer', changes('elb', deregisterElasticInstances)],
  ['NiftyDescribeElasticLoadBalancers', reads('elb', describeElasticLoadBalancers)],
  ['NiftyDescribeInstanceElasticLoadBalancerHealth', reads('elb', describeElasticInstanceHealth)],
  ['NiftyDescribePrivateLans', reads('ec2', describePrivateLans)],
  ['NiftyDescribeRouters', reads('ec2', describeRouters)],
  ['NiftyDisassociateRouteTableFromElasticLoadBalancer', changes('ec2', disassociateElasticRouteTable)],
  ['NiftyModifyElasticLoadBalancerAttributes', changes('elb', modifyElasticAttributes)],
  ['NiftyRegisterInstancesWithElasticLoadBalancer', changes('elb', registerElasticInstances)],
  ['NiftyRegisterPortWithElasticLoadBalancer', changes('elb', registerElasticPort)],
  ['NiftyReplaceElasticLoadBalancerLatestVersion', changes('elb', replaceLatestVersion)],
  ['NiftyReplaceElasticLoadBalancerListenerSSLCertificate', changes('elb', replaceElasticCertificate)],
  ['NiftyReplaceRouteTableAssociationWithElasticLoadBalancer', changes('ec2', replaceElasticRouteTable)],
  ['NiftySetLoadBalancerSSLPoliciesOfListener', changes('elb', setSslPolicy)],
  ['NiftyUnsetLoadBalancerSSLPoliciesOfListener', changes('elb', unsetSslPolicy)],
  ['NiftyUpdateElasticLoadBalancer', changes('elb', updateElasticLoadBalancer)],
  ['RebootInstances', changes('ec2', rebootInstances)],
  ['RegisterInstancesWithLoadBalancer', changes('elb', registerInstances)],
  ['RegisterInstancesWithSecurityGroup', changes('ec2', registerMembers)],
  ['RegisterPortWithLoadBalancer', changes('elb', registerPort)],
  ['ReplaceRoute', changes('ec2', replaceRoute)],
  ['ReplaceRouteTableAssociation', changes('ec2', replaceRouteTableAssociation)],
  ['RevokeSecurityGroupIngress', changes('ec2', revokeIngress)],
  ['SetFilterForLoadBalancer', changes('elb', setFilter)],
  ['SetLoadBalancerListenerSSLCertificate', changes('elb', setCertificate)],
  ['StartInstances', changes('ec2', startInstances)],
  ['StopInstances', changes('ec2', stopInstances)],
  ['UnsetLoadBalancerListenerSSLCertificate', changes('elb', unsetCertificate)],
  ['UpdateLoadBalancer', changes('elb', updateLoadBalancer)],
  ['UpdateLoadBalancerOption', changes('elb', updateOption)],
  ['UpdateSecurityGroup', changes('ec2', updateSecurityGroup)],
]);
