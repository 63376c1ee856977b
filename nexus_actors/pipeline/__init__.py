"""The pipeline. A request passes its stages in this order:

queue_consumer → router → provider_pool → provider_worker → result_publisher

`lease_keeper` extends the leases meanwhile, `supervisor` starts all of them. The stages share jobs
(`work.job`) through the in-work table (`work.in_work`).
"""
