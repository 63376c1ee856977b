"""The pipeline. A request passes its stages in this order:

queue_consumer → router → provider_pool → provider_worker → result_publisher,

with `lease_keeper` beside them, `work.job` and `work.in_work` in their hands, and `supervisor`
above.
"""
