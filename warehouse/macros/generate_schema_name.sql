{# A project is one environment, so a layer's dataset has the layer's name, without a prefix. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ exceptions.raise_compiler_error(node.name ~ " is in no layer: put it below staging, warehouse or mart") }}
    {%- endif -%}
    {{ custom_schema_name | trim }}
{%- endmacro %}
