{# The answer of a database that BigQuery has a connection to, such as Cloud SQL: read-only, in the connection's region.
   BigQuery refuses the whole query for a column whose type it does not know: cast it in `sql`. #}
{% macro external_query(connection, sql, location=target.location) -%}
    EXTERNAL_QUERY('{{ target.project }}.{{ location }}.{{ connection }}', '''{{ sql }}''')
{%- endmacro %}
