"""Starts Jobs at the times of CronJobs."""
