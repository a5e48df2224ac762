mock_provider "aws" {
  source = "./mocks"

  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::acme-states"
    }
  }
}

variables {
  bucket = "acme-states"
  region = "us-east-1"
}

run "old_states_are_kept_and_nothing_is_public" {
  command = plan

  module {
    source = "../state"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration[0].newer_noncurrent_versions == 10
    error_message = "States that were replaced are kept."
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.this.block_public_policy && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "States hold secrets."
  }
}
