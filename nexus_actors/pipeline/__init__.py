"""The pipeline. Its files stand in the order a request walks them:

queue_consumer → router → provider_pool → provider_worker → result_publisher,

with `lease_keeper` beside them, `job` and `in_work` in their hands, and `supervisor` above.
"""
