"""CodeBuild, CodePipeline and the identity of a foreign CI: how releases come in."""

from typing import Any, Final

from ragonotebooks.cleanup.aws.listing import pages, tagged


def _projects(codebuild: Any) -> list[Any]:
    names = list(pages(codebuild, "list_projects", "projects"))
    about: list[Any] = codebuild.batch_get_projects(names=names)["projects"] if names else []
    return about


def _pipeline_tags(codepipeline: Any, pipeline: Any) -> Any:
    arn = codepipeline.get_pipeline(name=pipeline["name"])["metadata"]["pipelineArn"]
    return list(pages(codepipeline, "list_tags_for_resource", "tags", resourceArn=arn))


PIPELINES: Final = tagged(
    "codepipeline",
    "pipeline",
    lambda codepipeline: pages(codepipeline, "list_pipelines", "pipelines"),
    lambda pipeline: str(pipeline["name"]),
    _pipeline_tags,
    lambda codepipeline, name: codepipeline.delete_pipeline(name=name),
    made="created",
)
PROJECTS: Final = tagged(
    "codebuild",
    "build project",
    _projects,
    lambda project: str(project["name"]),
    lambda codebuild, project: project.get("tags"),
    lambda codebuild, name: codebuild.delete_project(name=name),
    made="created",
)
IDENTITY_PROVIDERS: Final = tagged(
    "iam",
    "OIDC provider",
    lambda iam: iam.list_open_id_connect_providers()["OpenIDConnectProviderList"],
    lambda provider: str(provider["Arn"]),
    lambda iam, provider: pages(
        iam, "list_open_id_connect_provider_tags", "Tags", OpenIDConnectProviderArn=provider["Arn"]
    ),
    lambda iam, arn: iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn),
    regional=False,
)
