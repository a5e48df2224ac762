mock_provider "aws" {
  source = "./mocks"
}

variables {
  name   = "prod"
  region = "us-east-1"
}

run "a_key_a_purpose_turned_every_year" {
  command = plan

  module {
    source = "../modules/keys"
  }

  variables {
    purposes = ["secrets", "logs", "disks"]
  }

  assert {
    condition     = keys(output.arns) == ["disks", "logs", "secrets"] && alltrue([for key in aws_kms_key.this : key.enable_key_rotation])
    error_message = "Three keys, each rotated."
  }
}

run "purposes_are_known" {
  command = plan

  module {
    source = "../modules/keys"
  }

  variables {
    purposes = ["backups"]
  }

  expect_failures = [var.purposes]
}
