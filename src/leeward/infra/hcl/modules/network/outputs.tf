output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Zone => subnet of nodes and Pods."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.id }
}

output "public_subnet_ids" {
  description = "Zone => subnet of load balancers and NAT gateways."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.id }
}

output "control_plane_subnet_ids" {
  description = "Zone => subnet of the control plane."
  value       = { for zone, subnet in aws_subnet.control_plane : zone => subnet.id }
}

output "private_route_table_ids" {
  description = "Zone => route table of its private subnet, for routes to a VPN or a peered VPC."
  value       = { for zone, table in aws_route_table.private : zone => table.id }
}

output "nat_addresses" {
  description = "Zone => address from which the cluster reaches the internet, for others' allow lists."
  value       = { for zone, address in aws_eip.nat : zone => address.public_ip }
}

output "subnet_cidrs" {
  description = "Kind of subnet => zone => addresses."
  value = {
    private       = { for zone, subnet in aws_subnet.private : zone => subnet.cidr_block }
    public        = { for zone, subnet in aws_subnet.public : zone => subnet.cidr_block }
    control_plane = { for zone, subnet in aws_subnet.control_plane : zone => subnet.cidr_block }
  }
}

# Nodes need more than a subnet: they fetch images and join through these.
output "ways_out" {
  description = "Ids of the routes and endpoints that nodes need before they start."
  value = concat(
    [for route in aws_route.nat : route.id],
    [for each in aws_vpc_endpoint.interface : each.id],
    [aws_vpc_endpoint.s3.id],
    [for each in aws_route_table_association.private : each.id],
  )
}
