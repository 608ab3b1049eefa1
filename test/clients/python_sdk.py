"""The official Python SDK, unmodified, goes through the life of disks, load balancers, firewall groups and servers.

Prints one JSON object: what it did, and where an answer does not fit the SDK's own model of it. The simulator's address comes by
`--endpoint`, or the SDK finds it through HTTPS_PROXY.
"""

import argparse
import json
import xml.etree.ElementTree as ElementTree

from botocore.config import Config
from botocore.exceptions import ClientError
from nifcloud import session

# A capital letter where the model has a small one: recorded so (docs/reference/nifcloud-api.md §1.5).
KNOWN_QUIRKS = {'AccountingType'}


class Sdk:
    def __init__(self, client):
        self.client = client
        self.calls = []
        self.misfits = []
        client.meta.events.register('before-parse.computing.*', self._check_answer)

    def _check_answer(self, operation_model, response_dict, **_):
        if response_dict['status_code'] == 200:
            root = ElementTree.fromstring(response_dict['body'])
            self._compare(operation_model.name, root, operation_model.output_shape)

    def _compare(self, path, element, shape):
        if shape is None:
            return
        children = {}
        for child in element:
            children.setdefault(child.tag.split('}')[-1], []).append(child)
        if shape.type_name == 'structure':
            members = {member.serialization.get('name', key): member for key, member in shape.members.items()}
            for tag, found in children.items():
                if tag not in members:
                    if tag not in KNOWN_QUIRKS:
                        self.misfits.append(f'{path}: <{tag}> is not in the model')
                elif len(found) > 1 and not members[tag].serialization.get('flattened'):
                    self.misfits.append(f'{path}: <{tag}> stands {len(found)} times')
                else:
                    self._compare(f'{path}.{tag}', found[0], members[tag])
        elif shape.type_name == 'list':
            entry = shape.member.serialization.get('name', 'member')
            for tag, found in children.items():
                if tag != entry:
                    self.misfits.append(f'{path}: <{tag}> in a list of <{entry}>')
                for one in found:
                    self._compare(f'{path}.{tag}', one, shape.member)
        elif children:
            self.misfits.append(f'{path}: elements in a {shape.type_name}')

    def do(self, operation, **parameters):
        self.calls.append(operation)
        return getattr(self.client, operation)(**parameters)

    def refused(self, code, operation, **parameters):
        try:
            self.do(operation, **parameters)
        except ClientError as error:
            assert error.response['Error']['Code'] == code, error.response
            return
        raise AssertionError(f'{operation} was not refused with {code}')

    def wait(self, name, **parameters):
        self.calls.append(f'wait for {name}')
        waiter = self.client.get_waiter(name)
        waiter.config.delay = 0.05
        waiter.config.max_attempts = 200
        waiter.wait(**parameters)


def regions(sdk):
    zones = sdk.do('describe_availability_zones')['AvailabilityZoneInfo']
    assert [zone['ZoneName'] for zone in zones] == ['east-11', 'east-12', 'east-13'], zones
    assert len(sdk.do('describe_regions')['RegionInfo']) > 1


def disks(sdk):
    made = sdk.do('create_volume', Size=100, VolumeId='vol01', InstanceId='node01', DiskType='6', AccountingType='2',
                  Description='made by (the) SDK *~ テスト')
    assert made['Status'] == 'creating' and made['Size'] == 100, made
    sdk.wait('volume_attached', VolumeId=['vol01'])
    attribute = sdk.do('describe_instance_attribute', InstanceId='node01', Attribute='blockDeviceMapping')
    assert [one['DeviceName'] for one in attribute['BlockDeviceMapping']] == ['SCSI (0:1)'], attribute
    sdk.do('extend_volume_size', VolumeId='vol01', NiftyReboot='false')
    sdk.wait('volume_attached', VolumeId=['vol01'])
    assert sdk.do('describe_volumes', VolumeId=['vol01'])['VolumeSet'][0]['Size'] == '200'
    sdk.refused('Server.Inoperable.Volume.AlreadyAttached', 'attach_volume', VolumeId='vol01', InstanceId='node01')
    sdk.do('detach_volume', VolumeId='vol01', InstanceId='node01', Agreement=True)
    sdk.wait('volume_available', VolumeId=['vol01'])
    sdk.do('attach_volume', VolumeId='vol01', InstanceId='node01')
    sdk.wait('volume_in_use', VolumeId=['vol01'])
    sdk.wait('volume_attached', VolumeId=['vol01'])
    sdk.do('detach_volume', VolumeId='vol01', Agreement=True)
    sdk.wait('volume_available', VolumeId=['vol01'])
    sdk.do('modify_volume_attribute', VolumeId='vol01', Attribute='volumeName', Value='vol02')
    sdk.wait('volume_available', VolumeId=['vol02'])
    sdk.do('delete_volume', VolumeId='vol02')
    sdk.wait('volume_deleted', VolumeId=['vol02'])


def l4_load_balancers(sdk):
    key = {'LoadBalancerName': 'lb01', 'LoadBalancerPort': 80, 'InstancePort': 30080}
    listener = {'LoadBalancerPort': 80, 'InstancePort': 30080, 'BalancingType': 1}
    made = sdk.do('create_load_balancer', LoadBalancerName='lb01', Listeners=[listener], NetworkVolume=20, AccountingType='2')
    vip = made['CreateLoadBalancerResult']['DNSName']
    sdk.do('configure_health_check', **key, HealthCheck={'Target': 'ICMP', 'Interval': 5, 'UnhealthyThreshold': 1})
    sdk.do('set_filter_for_load_balancer', **key, FilterType='1',
           IPAddresses=[{'IPAddress': '192.0.2.1', 'AddOnFilter': True}, {'IPAddress': '198.51.100.0/24', 'AddOnFilter': True}])
    sdk.do('register_instances_with_load_balancer', **key, Instances=[{'InstanceId': 'node01'}, {'InstanceId': 'node02'}])
    sdk.wait('load_balancer_in_service', LoadBalancerNames=[key])
    sdk.do('describe_instance_health', **key, Instances=[{'InstanceId': 'node01'}])
    sdk.do('update_load_balancer_option', **key, SessionStickinessPolicyUpdate={'Enable': True, 'ExpirationPeriod': 5},
           SorryPageUpdate={'Enable': True, 'StatusCode': 503})
    sdk.do('register_port_with_load_balancer', LoadBalancerName='lb01',
           Listeners=[{'LoadBalancerPort': 443, 'InstancePort': 30443}])
    sdk.do('update_load_balancer', LoadBalancerName='lb01', NetworkVolumeUpdate=100, ListenerUpdate={
        'LoadBalancerPort': 443, 'InstancePort': 30443, 'RequestListener': {'LoadBalancerPort': 443, 'InstancePort': 30444}})
    described = sdk.do('describe_load_balancers')['DescribeLoadBalancersResult']['LoadBalancerDescriptions']
    assert [one['DNSName'] for one in described] == [vip, vip], described
    assert described[0]['Option']['SessionStickinessPolicy'] == {'Enabled': True, 'ExpirationPeriod': 5}, described
    sdk.do('deregister_instances_from_load_balancer', **key, Instances=[{'InstanceId': 'node02'}])
    sdk.refused('Client.InvalidParameterNotFound.LoadBalancerPort', 'delete_load_balancer', LoadBalancerName='lb01',
                LoadBalancerPort=443, InstancePort=30443)
    for port, instance_port in [(443, 30444), (80, 30080)]:
        sdk.do('delete_load_balancer', LoadBalancerName='lb01', LoadBalancerPort=port, InstancePort=instance_port)
    sdk.wait('load_balancer_deleted', LoadBalancerNames=[key])


def elastic_load_balancers(sdk):
    name = {'ElasticLoadBalancerName': 'elb01'}
    key = {**name, 'Protocol': 'TCP', 'ElasticLoadBalancerPort': 80, 'InstancePort': 30080}
    described = {'ElasticLoadBalancers': {'ListOfRequestElasticLoadBalancerName': ['elb01']}}
    check = {'Target': 'TCP:30080', 'Interval': 10, 'UnhealthyThreshold': 2}
    sdk.do('nifty_create_elastic_load_balancer', **name, AvailabilityZones=['east-11'], NetworkVolume=10, AccountingType='2',
           Listeners=[{'Protocol': 'TCP', 'ElasticLoadBalancerPort': 80, 'InstancePort': 30080, 'BalancingType': 1,
                       'Description': 'one', 'RequestHealthCheck': check}],
           NetworkInterface=[{'NetworkId': 'net-COMMON_GLOBAL', 'IsVipNetwork': True}])
    sdk.refused('Server.ResourceIncorrectState.ElasticLoadBalancer.Processing', 'nifty_update_elastic_load_balancer', **name,
                NetworkVolumeUpdate=20)
    sdk.wait('elastic_load_balancer_available', **described)

    def change(operation, **parameters):
        sdk.do(operation, **parameters)
        sdk.wait('elastic_load_balancer_available', **described)

    change('nifty_configure_elastic_load_balancer_health_check', **key, HealthCheck={**check, 'Interval': 5})
    change('nifty_register_instances_with_elastic_load_balancer', **key, Instances=[{'InstanceId': 'node01'}])
    sdk.do('nifty_describe_instance_elastic_load_balancer_health', **key, Instances=[{'InstanceId': 'node01'}])
    change('nifty_register_port_with_elastic_load_balancer', **name, Listeners=[
        {'Protocol': 'UDP', 'ElasticLoadBalancerPort': 53, 'InstancePort': 30053, 'BalancingType': 2}])
    change('nifty_modify_elastic_load_balancer_attributes', **key, LoadBalancerAttributes={
        'RequestSession': {'RequestStickinessPolicy': {'Enable': True, 'ExpirationPeriod': 5, 'Method': '1'}},
        'ListOfRequestAdditionalAttributes': [{'Key': 'balancingType', 'Value': '2'}]})
    change('nifty_update_elastic_load_balancer', **name, NetworkVolumeUpdate=20)
    found = sdk.do('nifty_describe_elastic_load_balancers', **described)
    found = found['NiftyDescribeElasticLoadBalancersResult']['ElasticLoadBalancerDescriptions'][0]
    assert found['NetworkVolume'] == '20' and found['DNSName'] != '', found
    assert len(found['ElasticLoadBalancerListenerDescriptions']) == 2, found
    change('nifty_deregister_instances_from_elastic_load_balancer', **key, Instances=[{'InstanceId': 'node01'}])
    change('nifty_delete_elastic_load_balancer', **name, Protocol='UDP', ElasticLoadBalancerPort=53, InstancePort=30053)
    sdk.do('nifty_delete_elastic_load_balancer', **key)
    sdk.wait('elastic_load_balancer_deleted', **described)


def firewall_groups(sdk):
    group = {'GroupName': 'group01'}

    def change(operation, **parameters):
        sdk.do(operation, **parameters)
        sdk.wait('security_group_applied', GroupName=['group01'])

    change('create_security_group', **group, GroupDescription='of the SDK', Placement={'AvailabilityZone': 'east-11'})
    sdk.wait('security_group_exists', GroupName=['group01'])
    rule = {'IpProtocol': 'TCP', 'FromPort': 30080, 'InOut': 'IN', 'ListOfRequestIpRanges': [{'CidrIp': '192.0.2.0/24'}]}
    change('authorize_security_group_ingress', **group, IpPermissions=[{**rule, 'Description': 'nodes'}])
    sdk.refused('Client.InvalidParameterDuplicate.SecurityGroup', 'authorize_security_group_ingress', **group, IpPermissions=[rule])
    found = sdk.do('describe_security_groups', Filter=[{'Name': 'group-name', 'ListOfRequestValue': ['group']}])['SecurityGroupInfo']
    assert [one['FromPort'] for one in found[0]['IpPermissions']] == [30080], found
    change('update_security_group', **group, GroupDescriptionUpdate='changed')
    change('revoke_security_group_ingress', **group, IpPermissions=[rule])
    sdk.refused('Client.InvalidParameterNotFound.SecurityGroupIngress', 'revoke_security_group_ingress', **group,
                IpPermissions=[rule])
    sdk.do('delete_security_group', **group)


def servers(sdk):
    sdk.do('stop_instances', InstanceId=['node03'], Force=False)
    sdk.wait('instance_stopped', InstanceId=['node03'])
    sdk.do('start_instances', InstanceId=['node03'])
    sdk.wait('instance_running', InstanceId=['node03'])
    everyone = sdk.do('describe_instances')['ReservationSet']
    assert [one['InstancesSet'][0]['InstanceId'] for one in everyone] == ['node01', 'node02', 'node03'], everyone
    sdk.refused('Client.InvalidParameterNotFound.Instance', 'describe_instances', InstanceId=['nobody'])


def route_tables(sdk):
    table = sdk.do('create_route_table')['RouteTable']['RouteTableId']
    sdk.do('create_route', RouteTableId=table, DestinationCidrBlock='10.244.1.0/24', IpAddress='192.168.0.11')
    sdk.do('replace_route', RouteTableId=table, DestinationCidrBlock='10.244.1.0/24', IpAddress='192.168.0.12')
    found = sdk.do('describe_route_tables', RouteTableId=[table])['RouteTableSet'][0]
    assert [one['IpAddress'] for one in found['RouteSet']] == ['192.168.0.12'], found
    sdk.do('delete_route', RouteTableId=table, DestinationCidrBlock='10.244.1.0/24')
    sdk.do('delete_route_table', RouteTableId=table)
    sdk.do('nifty_describe_routers')
    sdk.do('nifty_describe_private_lans')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--endpoint')
    parser.add_argument('--access-key-id', required=True)
    parser.add_argument('--secret-access-key', required=True)
    arguments = parser.parse_args()
    client = session.get_session().create_client(
        'computing', region_name='jp-east-1', endpoint_url=arguments.endpoint,
        nifcloud_access_key_id=arguments.access_key_id, nifcloud_secret_access_key=arguments.secret_access_key,
        config=Config(retries={'max_attempts': 0}, read_timeout=20))
    sdk = Sdk(client)
    for part in [regions, disks, l4_load_balancers, elastic_load_balancers, firewall_groups, servers, route_tables]:
        part(sdk)
    print(json.dumps({'calls': sdk.calls, 'misfits': sorted(set(sdk.misfits))}))


main()
