# Yours: leeward writes this file once and never again. What the cluster needs beside itself grows here, with
# the outputs of its modules, and goes through the same plan. For instance a database that only its nodes reach:
#
# resource "aws_db_subnet_group" "shop" {
#   name       = "${var.name}-shop"
#   subnet_ids = values(module.network.private_subnet_ids)
# }
#
# resource "aws_security_group" "shop" {
#   name        = "${var.name}-shop"
#   description = "PostgreSQL of the shop, for the cluster."
#   vpc_id      = module.network.vpc_id
# }
#
# resource "aws_vpc_security_group_ingress_rule" "shop" {
#   security_group_id            = aws_security_group.shop.id
#   referenced_security_group_id = module.cluster.security_group_id
#   ip_protocol                  = "tcp"
#   from_port                    = 5432
#   to_port                      = 5432
# }
