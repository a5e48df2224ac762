# What a node may do. Pods do not get this role (see the hop limit): theirs are Pod Identities.

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.${data.aws_partition.this.dns_suffix}"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = "${var.cluster_name}-${var.region}-node"
  description        = "Nodes of ${var.cluster_name}."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = toset([
    "AmazonEKSWorkerNodePolicy",          # join, and let the Pod Identity agent fetch credentials
    "AmazonEC2ContainerRegistryPullOnly", # images
    "AmazonEKS_CNI_Policy",               # the VPC CNI runs before anything could give it a role of its own
    "AmazonSSMManagedInstanceCore",       # a shell and tunnels without SSH, keys or open ports
  ])

  role       = aws_iam_role.this.name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/${each.key}"
}
