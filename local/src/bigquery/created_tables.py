
# A job that creates a table from a query names that table as its destination, as BigQuery's does; dbt reads its number of
# rows there. Its answer still has no rows.
from local_bigquery.api import jobs as jobs_api
from local_bigquery.jobs import runner

run_query, results = runner._query, jobs_api.results


def run_query_to_its_table(job, session, running):
    statistics = run_query(job, session, running)
    query = statistics.query
    if query and query.statementType == "CREATE_TABLE_AS_SELECT" and query.ddlTargetTable:
        job.configuration.query.destinationTable = query.ddlTargetTable
    return statistics


def results_of_a_query(job, *page):
    statistics = job.statistics.query
    if statistics and statistics.ddlTargetTable and job.status.state == "DONE":
        query = job.configuration.query.without("destinationTable")
        job = job.replace(configuration=job.configuration.replace(query=query))
    return results(job, *page)


runner._query = run_query_to_its_table
jobs_api.results = results_of_a_query

# dbt's insert_overwrite sets a list of one variable: SET (a) = (SELECT AS STRUCT b ...).
from local_bigquery.sql import script

ONE = re.compile(r"^SET\s*\(\s*(\w+)\s*\)\s*=\s*\(\s*SELECT\s+AS\s+STRUCT\b", re.I)
set_variables = script.Interpreter.set


def set_one_or_more(self, statement):
    statement.text = ONE.sub(r"SET \1 = (SELECT", statement.text)
    set_variables(self, statement)


script.Interpreter.set = set_one_or_more
