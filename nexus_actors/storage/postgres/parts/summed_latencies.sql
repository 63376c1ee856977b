coalesce(sum(latency[1]), 0), coalesce(sum(latency[2]), 0), coalesce(sum(latency[3]), 0), coalesce(sum(latency[4]), 0),
        coalesce(sum(latency[5]), 0), coalesce(sum(latency[6]), 0), coalesce(sum(latency[7]), 0), coalesce(sum(latency[8]), 0),
        coalesce(sum(latency[9]), 0), coalesce(sum(latency[10]), 0), coalesce(sum(latency[11]), 0), coalesce(sum(latency[12]), 0),
        coalesce(sum(latency[13]), 0), coalesce(sum(latency[14]), 0), coalesce(sum(latency[15]), 0), coalesce(sum(latency[16]), 0),
        coalesce(sum(latency[17]), 0), coalesce(sum(latency[18]), 0), coalesce(sum(latency[19]), 0), coalesce(sum(latency[20]), 0),
        coalesce(sum(latency[21]), 0), coalesce(sum(latency[22]), 0), coalesce(sum(latency[23]), 0), coalesce(sum(latency[24]), 0)
